--- The program: where it is found, and putting it into an environment of its own.
---
--- An editor that was started from a desktop has not the shell's PATH: that is what the private
--- environment is for.
local config = require("ai-sidecar.config")

local M = {}

local WINDOWS = vim.fn.has("win32") == 1
local OLDEST = { 3, 11 }
local MODEL = [[
With the embedded model, which answers without a key: its runtime is about 50 MB, the model 98 MB.
`install = { model = false }` leaves it out.
]]

---@class ai_sidecar.Program
---@field cmd string[]
---@field where string how it was found

--- Return the folder of the private environment.
---@return string
function M.dir()
  return config.get().install.dir or vim.fs.joinpath(vim.fn.stdpath("data") --[[@as string]], "ai-sidecar")
end

---@param name string
---@return string
local function private(name)
  return vim.fs.joinpath(M.dir(), WINDOWS and "Scripts" or "bin", WINDOWS and name .. ".exe" or name)
end

--- Return the program of the clone that this plugin lies in, as `tools/bootstrap.py` or pip made it.
---@return string?
local function cloned()
  local clone = config.clone()
  local folder = clone and vim.fs.joinpath(clone, ".venv", WINDOWS and "Scripts" or "bin")
  local path = folder and vim.fs.joinpath(folder, WINDOWS and "ai-sidecar.exe" or "ai-sidecar")
  return path and vim.fn.executable(path) == 1 and path or nil
end

--- Return the program: `cmd` of the options, then of |vim.lsp.config|, then PATH, then the clone's
--- `.venv`, then the private environment.
---@return ai_sidecar.Program?
function M.find()
  local own = config.get().cmd
  if own then
    return vim.fn.executable(own[1]) == 1 and { cmd = own, where = "the option `cmd`" } or nil
  end
  local configured = (vim.lsp.config.ai_sidecar or {}).cmd
  if type(configured) == "table" and vim.fn.executable(configured[1]) == 1 then
    local cmd = vim.deepcopy(configured)
    local path = vim.fn.exepath(cmd[1])
    local where = cmd[1] == "ai-sidecar" and "PATH" or "vim.lsp.config"
    -- Windows looks into the current folder first: a program there is the workspace's, not the user's.
    local here = vim.fs.normalize(vim.uv.cwd() or "")
    if not (WINDOWS and vim.fs.dirname(vim.fs.normalize(path)) == here) then
      cmd[1] = path ~= "" and path or cmd[1]
      return { cmd = cmd, where = where }
    end
  end
  local clone = cloned()
  if clone then
    return { cmd = { clone }, where = "the plugin's clone" }
  end
  local program = private("ai-sidecar")
  if vim.fn.executable(program) == 1 then
    return { cmd = { program }, where = "the private environment" }
  end
  return nil
end

--- Return what pip is to install, nil where that is not known: never a bare name, which on the
--- package index is whoever's.
---@return string?
function M.source()
  return config.get().install.source or config.clone()
end

--- Return the same with the extra that brings the embedded model's runtime.
---@param source string a path, an address or a requirement
---@return string
local function with_model(source)
  if source:find("^[%w+]+://") then
    return "ai-sidecar[local] @ " .. source
  end
  return source:find("%]$") and source or source .. "[local]"
end

--- Find a Python that is new enough, without blocking: calls back with its path and its version, or
--- with nothing.
---@param done fun(path?: string, version?: string)
function M.python(done)
  local own = config.get().install.python
  local names = own and { own }
    or { "python3", "python", "python3.15", "python3.14", "python3.13", "python3.12", "python3.11" }
  local function try(index)
    local name = names[index]
    if not name then
      return done()
    elseif vim.fn.executable(name) == 0 then
      return try(index + 1)
    end
    local looked = vim.schedule_wrap(function(out)
      local major, minor = ((out.stdout or "") .. (out.stderr or "")):match("(%d+)%.(%d+)")
      major, minor = tonumber(major), tonumber(minor)
      if major and (major > OLDEST[1] or (major == OLDEST[1] and minor >= OLDEST[2])) then
        return done(name, ("%d.%d"):format(major, minor))
      end
      try(index + 1)
    end)
    if not pcall(vim.system, { name, "--version" }, { text = true, timeout = 5000 }, looked) then
      try(index + 1)
    end
  end
  try(1)
end

local told = false

--- Say that the program is missing, and what to do.
---@param once boolean only if it was not said before
function M.missing(once)
  if once and told then
    return
  end
  told = true
  local own = config.get().cmd
  local looked = own and ("%s (the option `cmd`)"):format(own[1])
    or ("`ai-sidecar` on PATH, in the plugin's clone and %s"):format(private("ai-sidecar"))
  vim.notify(
    ("ai-sidecar: the program was not found: looked for %s. :AiInstall installs it into %s."):format(
      looked,
      M.dir()
    ),
    vim.log.levels.WARN
  )
end

---@return integer buf
local function open_log()
  vim.cmd("botright 12new")
  local buf = vim.api.nvim_get_current_buf()
  vim.bo[buf].buftype, vim.bo[buf].bufhidden, vim.bo[buf].swapfile = "nofile", "hide", false
  pcall(vim.api.nvim_buf_set_name, buf, "ai-sidecar://install")
  vim.cmd("wincmd p")
  return buf
end

---@param buf integer
---@param text string
local function append(buf, text)
  if not vim.api.nvim_buf_is_valid(buf) then
    return
  end
  local lines = vim.split((text:gsub("\r\n?", "\n")), "\n")
  local last = vim.api.nvim_buf_get_lines(buf, -2, -1, false)[1] or ""
  vim.api.nvim_buf_set_text(buf, -1, #last, -1, #last, lines)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    vim.api.nvim_win_set_cursor(win, { vim.api.nvim_buf_line_count(buf), 0 })
  end
end

--- Run a command in the log, without blocking.
---@param buf integer the log
---@param cmd string[]
---@param done fun(ok: boolean)
local function logged(buf, cmd, done)
  append(buf, "$ " .. table.concat(cmd, " ") .. "\n")
  local tell = vim.schedule_wrap(function(_, data)
    if data then
      append(buf, data)
    end
  end)
  local options = { stdout = tell, stderr = tell, cwd = vim.uv.os_homedir() }
  local started, problem = pcall(vim.system, cmd, options, function(out)
    vim.schedule(function()
      done(out.code == 0)
    end)
  end)
  if not started then
    append(buf, tostring(problem) .. "\n")
    done(false)
  end
end

--- Install into the private environment: the program, and the model if it can be had. Without a model
--- the program is of use, so that no failure of it is one of the installation.
---@param buf integer the log
---@param python string
---@param source string
---@param done fun(ok: boolean, model: boolean)
local function fill(buf, python, source, done)
  local pip = { private("python"), "-m", "pip", "install", "--disable-pip-version-check", "--upgrade" }
  local function installing(what, next)
    logged(buf, vim.list_extend(vim.deepcopy(pip), { what }), next)
  end
  local function plain()
    installing(source, function(ok)
      done(ok and vim.fn.executable(private("ai-sidecar")) == 1, false)
    end)
  end
  logged(buf, { python, "-m", "venv", M.dir() }, function(made)
    if not made then
      return done(false, false)
    elseif not config.get().install.model then
      return plain()
    end
    append(buf, MODEL)
    installing(with_model(source), function(ok)
      if not ok then
        append(buf, "\nOnce more, without the model:\n")
        return plain()
      elseif vim.fn.executable(private("ai-sidecar")) == 0 then
        return done(false, false)
      end
      logged(buf, { private("ai-sidecar"), "local", "install" }, function(fetched)
        done(true, fetched)
      end)
    end)
  end)
end

local running = false

--- Install the program, without blocking; its output goes to a split.
---@param done? fun(ok: boolean)
function M.run(done)
  done = done or function() end
  if running then
    vim.notify("ai-sidecar: an installation is under way")
    return done(false)
  end
  local source = M.source()
  if not source then
    vim.notify(
      "ai-sidecar: what is to be installed? The plugin lies in no clone of the project: set "
        .. "`install.source` to a clone or a wheel",
      vim.log.levels.ERROR
    )
    return done(false)
  end
  running = true
  local buf = open_log()
  local function finish(ok, model)
    running = false
    append(buf, ok and "\nDone.\n" or "\nNot installed.\n")
    if not ok then
      vim.notify("ai-sidecar: the installation failed; its window tells why", vim.log.levels.ERROR)
      return done(false)
    end
    if config.get().install.model and not model then
      local text = "ai-sidecar: installed without the embedded model; its window tells why. To have it: "
      text = text .. ":AiInstall again, or `%s local install` in a terminal"
      vim.notify(text:format(private("ai-sidecar")), vim.log.levels.WARN)
    end
    vim.notify("ai-sidecar: installed into " .. M.dir())
    require("ai-sidecar.client").attach_all()
    done(true)
  end
  M.python(function(python)
    if python then
      return fill(buf, python, source, finish)
    end
    append(buf, "No Python 3.11 or later was found: set `install.python`.\n")
    finish(false, false)
  end)
end

return M
