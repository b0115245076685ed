--- :AiModel: which model is asked, until Neovim ends.
local client = require("ai-sidecar.client")
local errors = require("ai-sidecar.errors")

local M = {}

local known = {} ---@type string[] what :AiModel completes

---@param model table ModelInfo
---@return string
local function name(model)
  return ("%s/%s"):format(model.provider, model.id)
end

---@param model table ModelInfo
---@return string
local function line(model)
  local parts = { name(model) }
  local window = model.contextWindow
  if type(window) == "number" then
    parts[#parts + 1] = window >= 1000 and ("%dk window"):format(math.floor(window / 1000))
      or (window .. " window")
  end
  if model.price then
    parts[#parts + 1] = ("$%g in, $%g out per million"):format(
      model.price.inputPerMTok,
      model.price.outputPerMTok
    )
  end
  return table.concat(parts, "  ")
end

---@param running vim.lsp.Client
---@param provider? string
---@param model string
local function select(running, provider, model)
  local argument = { provider = provider, model = model }
  local params = { command = "aiSidecar.selectModel", arguments = { argument } }
  running:request("workspace/executeCommand", params, function(err)
    if err then
      return errors.notify(err)
    end
    local chosen = provider and ("%s/%s"):format(provider, model) or model
    require("ai-sidecar.status").choose(chosen)
    vim.notify("ai-sidecar: asking " .. chosen)
  end)
end

---@param running vim.lsp.Client
---@param callback fun(models: table[])
---@param refresh? boolean ask the providers themselves
local function list(running, callback, refresh)
  running:request("ai/models", { refresh = refresh == true }, function(err, result)
    if err then
      return errors.notify(err)
    end
    -- What a provider of one's own serves is in no catalog: only itself can tell.
    if #result.models == 0 and not refresh then
      return list(running, callback, true)
    end
    known = vim.tbl_map(name, result.models)
    callback(result.models)
  end)
end

--- Choose `wanted` ("model" or "provider/model"), or ask which.
---@param wanted? string
function M.command(wanted)
  client.ensure(function(running)
    if not running then
      return
    end
    list(running, function(models)
      if wanted and wanted ~= "" then
        for _, model in ipairs(models) do
          if name(model) == wanted then
            return select(running, model.provider, model.id)
          end
        end
        return select(running, nil, wanted)
      end
      if #models == 0 then
        return vim.notify(
          "ai-sidecar: no models: :checkhealth ai-sidecar tells what is configured",
          vim.log.levels.WARN
        )
      end
      vim.ui.select(models, { prompt = "Model", kind = "ai-sidecar", format_item = line }, function(model)
        if model then
          select(running, model.provider, model.id)
        end
      end)
    end)
  end)
end

---@param lead string
---@return string[]
function M.complete(lead)
  local running = client.get()
  if #known == 0 and running and running.initialized then
    local answer = running:request_sync("ai/models", vim.empty_dict(), 2000)
    known = answer and answer.result and vim.tbl_map(name, answer.result.models) or {}
  end
  return vim.tbl_filter(function(item)
    return item:find(lead, 1, true) ~= nil
  end, known)
end

return M
