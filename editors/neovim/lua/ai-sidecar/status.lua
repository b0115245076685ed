--- What the program says of itself, as text for a statusline.
local M = {}

---@class ai_sidecar.Status
---@field busy boolean
---@field kind "Normal"|"Warning"|"Error"|"Inactive"
---@field message string
---@field provider? string
---@field model? string
---@field tokens? integer
---@field costUsd? number

local state ---@type ai_sidecar.Status?
local chosen ---@type string?

local function redraw()
  vim.api.nvim_exec_autocmds("User", { pattern = "AiSidecarStatus", modeline = false })
  vim.cmd.redrawstatus({ bang = true })
end

---@param new ai_sidecar.Status
function M.set(new)
  state = new
  redraw()
end

--- Forget everything: the program has ended.
function M.reset()
  if state then
    state, chosen = nil, nil
    redraw()
  end
end

--- Note what :AiModel has chosen; shown until an answer names its model.
---@param model string
function M.choose(model)
  chosen = model
  redraw()
end

--- Return what the program said last.
---@return ai_sidecar.Status?
function M.get()
  return state
end

---@param count integer
---@return string
function M.count(count)
  return count < 10000 and ("%d tokens"):format(count) or ("%.1fk tokens"):format(count / 1000)
end

---@param usd number
---@return string
function M.cost(usd)
  if usd == 0 then
    return "$0"
  end
  return (usd < 0.01 and "$%.4f" or "$%.2f"):format(usd)
end

---@return string
function M.text()
  if not state then
    return ""
  end
  local parts = {} ---@type string[]
  local named = state.model and state.provider and ("%s/%s"):format(state.provider, state.model)
  parts[#parts + 1] = chosen or named or "ai"
  if state.tokens then
    parts[#parts + 1] = M.count(state.tokens)
  end
  if state.costUsd then
    parts[#parts + 1] = M.cost(state.costUsd)
  end
  local text = table.concat(parts, " ")
  if state.busy then
    return text .. " …"
  end
  return (state.kind == "Error" or state.kind == "Warning") and text .. " !" or text
end

return M
