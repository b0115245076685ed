--- The program: where it is found, and putting it into an environment of its own.
---
--- An editor that was started from a desktop has not the shell's PATH: that is what the private
--- environment is for.
local config = require("ai-sidecar.config")

local M = {}

local WINDOWS = vim.fn.has("win32") == 1
local OLDEST = { 3, 11 }

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

--- Return the program: `cmd` of the options, then of |vim.lsp.config|, then PATH, then the private
--- environment.
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
  local program = private("ai-sidecar")
  if vim.fn.executable(program) == 1 then
    return { cmd = { program }, where = "the private environment" }
  end
  return nil
end

--- Return what pip is to install.
---@return string
function M.source()
  return config.get().install.source or config.clone() or "ai-sidecar"
end

--- Return a Python that is new enough, and its version.
---@return string? path
---@return string? version
function M.python()
  local own = config.get().install.python
  local names = own and { own }
    or { "python3", "python", "python3.14", "python3.13", "python3.12", "python3.11" }
  for _, name in ipairs(names) do
    if vim.fn.executable(name) == 1 then
      local done = vim.system({ name, "--version" }, { text = true }):wait(10000)
      local major, minor = ((done.stdout or "") .. (done.stderr or "")):match("(%d+)%.(%d+)")
      major, minor = tonumber(major), tonumber(minor)
      if major and (major > OLDEST[1] or (major == OLDEST[1] and minor >= OLDEST[2])) then
        return name, ("%d.%d"):format(major, minor)
      end
    end
  end
  return nil
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
    or ("`ai-sidecar` on PATH and %s"):format(private("ai-sidecar"))
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

local running = false

--- Install the program, without blocking; its output goes to a split.
---@param done? fun(ok: boolean)
function M.run(done)
  done = done or function() end
  local python = M.python()
  if not python then
    vim.notify("ai-sidecar: no Python 3.11 or later was found: set `install.python`", vim.log.levels.ERROR)
    return done(false)
  end
  if running then
    vim.notify("ai-sidecar: an installation is under way")
    return done(false)
  end
  running = true
  local buf, inside = open_log(), private("python")
  local steps = {
    { python, "-m", "venv", M.dir() },
    { inside, "-m", "pip", "install", "--disable-pip-version-check", "--upgrade", M.source() },
  }
  local function finish(ok)
    running = false
    append(buf, ok and "\nDone.\n" or "\nNot installed.\n")
    if ok then
      vim.notify("ai-sidecar: installed into " .. M.dir())
      require("ai-sidecar.client").attach_all()
    else
      vim.notify("ai-sidecar: the installation failed; its window tells why", vim.log.levels.ERROR)
    end
    done(ok)
  end
  local function step(index)
    local cmd = steps[index]
    if not cmd then
      return finish(vim.fn.executable(private("ai-sidecar")) == 1)
    end
    append(buf, "$ " .. table.concat(cmd, " ") .. "\n")
    local tell = vim.schedule_wrap(function(_, data)
      if data then
        append(buf, data)
      end
    end)
    local started, problem = pcall(
      vim.system,
      cmd,
      { stdout = tell, stderr = tell, cwd = vim.uv.os_homedir() },
      function(out)
        vim.schedule(function()
          if out.code == 0 then
            step(index + 1)
          else
            finish(false)
          end
        end)
      end
    )
    if not started then
      append(buf, tostring(problem) .. "\n")
      finish(false)
    end
  end
  step(1)
end

return M
