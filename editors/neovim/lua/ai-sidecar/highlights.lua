--- The highlight groups, as links that a colour scheme or a user may set otherwise.
local M = {}

local LINKS = {
  AiSidecarGhost = "NonText",
  AiSidecarReasoning = "Comment",
  AiSidecarNote = "Comment",
  AiSidecarError = "DiagnosticError",
  AiSidecarOld = "DiffDelete",
  AiSidecarNew = "DiffAdd",
}

local function define()
  for name, target in pairs(LINKS) do
    vim.api.nvim_set_hl(0, name, { default = true, link = target })
  end
end

local ready = false

--- Define the groups, once; a new colour scheme clears them.
function M.ensure()
  if ready then
    return
  end
  ready = true
  define()
  vim.api.nvim_create_autocmd("ColorScheme", {
    group = vim.api.nvim_create_augroup("ai-sidecar.highlights", {}),
    callback = define,
  })
end

return M
