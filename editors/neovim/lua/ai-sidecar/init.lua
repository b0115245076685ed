--- What a configuration calls. Everything else is loaded when it is first needed.
local M = {}

--- Set options; not needed for the defaults. May be called again.
---@param opts? ai_sidecar.Options
function M.setup(opts)
  require("ai-sidecar.config").set(opts or {})
  if vim.v.vim_did_enter == 1 and vim.fn.has("nvim-0.11") == 1 then
    require("ai-sidecar.client").attach_all()
  end
end

--- Text for a statusline: model, tokens and cost of the last answer, and whether one is under way.
--- Empty until the program runs. Loads nothing by itself.
---@return string
function M.status()
  local status = package.loaded["ai-sidecar.status"]
  return status and status.text() or ""
end

--- Take the ghost text.
---@param what? "all"|"word"|"line" (default: "all")
---@return boolean # whether there was any
function M.accept(what)
  local ghost = package.loaded["ai-sidecar.ghost"]
  return ghost ~= nil and ghost.accept(what or "all")
end

--- Hide the ghost text.
---@return boolean # whether there was any
function M.dismiss()
  local ghost = package.loaded["ai-sidecar.ghost"]
  return ghost ~= nil and ghost.dismiss()
end

--- Say whether ghost text is shown at the cursor.
---@return boolean
function M.has_ghost()
  local ghost = package.loaded["ai-sidecar.ghost"]
  return ghost ~= nil and ghost.visible()
end

--- Ask for ghost text now, without the pause.
function M.trigger()
  require("ai-sidecar.ghost").request({ invoked = true })
end

return M
