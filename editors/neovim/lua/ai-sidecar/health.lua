--- :checkhealth ai-sidecar
local client = require("ai-sidecar.client")
local config = require("ai-sidecar.config")
local install = require("ai-sidecar.install")

local health = vim.health
local M = {}

local function check_neovim()
  health.start("ai-sidecar: Neovim")
  local version = tostring(vim.version())
  if vim.fn.has("nvim-0.11") == 1 then
    health.ok("Neovim " .. version)
  else
    health.error("Neovim " .. version, "Neovim 0.11 or later is needed")
  end
  local native = vim.lsp.inline_completion ---@diagnostic disable-line: undefined-field  -- 0.12
  local ghost = config.get().ghost
  if not ghost.enabled then
    health.info("Completion while typing is off (:AiGhost on)")
  elseif ghost.native then
    health.info(
      native and "Ghost text is drawn by Neovim itself (`ghost.native`)" or "`ghost.native` needs Neovim 0.12"
    )
  else
    health.info("Ghost text is drawn by the plugin")
  end
end

---@return boolean
local function check_program()
  health.start("ai-sidecar: the program")
  local program = install.find()
  if not program then
    health.error(
      "`ai-sidecar` was not found: neither by the option `cmd`, on PATH, nor in " .. install.dir(),
      {
        "Run :AiInstall to install it there, from "
          .. (install.source() or "what `install.source` names: the plugin lies in no clone"),
        "or set `cmd = { '/path/to/ai-sidecar' }`: a Neovim that was started from a desktop has not the shell's PATH",
      }
    )
    local python, version, asked
    install.python(function(path, found)
      python, version, asked = path, found, true
    end)
    vim.wait(15000, function()
      return asked
    end, 20)
    if python then
      health.info(("Python %s is there for :AiInstall (%s)"):format(version, python))
    else
      health.warn("no Python 3.11 or later was found", "Install one, or set `install.python`")
    end
    return false
  end
  local path = program.cmd[1]
  health.ok(("found by %s: %s"):format(program.where, path))
  local done = vim.system({ path, "--version" }, { text = true }):wait(10000)
  if done.code == 0 then
    health.ok(vim.trim(done.stdout))
  else
    health.warn("`--version` failed: " .. vim.trim(done.stderr or ""))
  end
  return true
end

---@return vim.lsp.Client?
local function check_start()
  local running, answered ---@type vim.lsp.Client?, boolean?
  client.ensure(function(started)
    running, answered = started, true
  end)
  vim.wait(15000, function()
    return answered
  end, 20)
  if not running then
    health.error("the program did not start", ":LspLog has what it said")
    return nil
  end
  local attached = vim.tbl_count(running.attached_buffers)
  health.ok(
    ("runs as client %d, %d buffers attached, positions in %s"):format(
      running.id,
      attached,
      running.offset_encoding
    )
  )
  return running
end

---@param running vim.lsp.Client
local function check_providers(running)
  health.start("ai-sidecar: providers")
  local answer, problem = running:request_sync("ai/providers", vim.empty_dict(), 10000)
  if not answer or answer.err then
    health.error("the program does not tell: " .. (problem or answer and answer.err.message or "no answer"))
    return
  end
  local configured = 0
  for _, provider in ipairs(answer.result.providers) do
    local text = provider.id .. (provider.isDefault and " (default)" or "")
    if provider.configError then
      health.error(("%s: %s"):format(text, provider.configError))
    elseif provider.configured then
      configured = configured + 1
      health.ok(
        ("%s: key from %s, %s"):format(
          text,
          provider.keySource or "nowhere (none is needed)",
          provider.baseUrl
        )
      )
    end
    if provider.circuit ~= "closed" then
      health.warn(
        ("%s failed several times in a row; it is left alone for %d s"):format(
          text,
          (provider.cooldownMs or 0) / 1000
        )
      )
    end
  end
  if configured == 0 then
    health.warn("no provider is configured: the embedded model answers, if it is there", {
      "Set the environment variable of one (ANTHROPIC_API_KEY, OPENAI_API_KEY, ...) where Neovim is started,",
      "or write the configuration: `ai-sidecar config init`",
    })
  end
end

--- The embedded model is there if it can be loaded.
---@param running vim.lsp.Client
local function check_embedded(running)
  local answer = running:request_sync("ai/models", { provider = "local", refresh = true }, 30000)
  local model = answer and answer.result and answer.result.models[1]
  if model then
    health.ok(("the embedded model is there: %s"):format(model.id))
    return
  end
  local why = answer and answer.err and answer.err.message or "it does not answer"
  health.info(("the embedded model cannot be used: %s (`ai-sidecar local install`)"):format(why))
end

function M.check()
  check_neovim()
  if check_program() then
    local running = check_start()
    if running then
      check_providers(running)
      check_embedded(running)
    end
  end
end

return M
