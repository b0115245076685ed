-- ai-sidecar as a plain language server: `vim.lsp.enable("ai_sidecar")`. This file needs nothing else
-- of the plugin, and may be copied to `lsp/` of one's own configuration. The plugin starts from it too,
-- so that `vim.lsp.config("ai_sidecar", { ... })` is one place for both.

---@type vim.lsp.Config
return {
  cmd = { "ai-sidecar" },
  root_markers = { ".git" },
  -- init_options = { ... } is the configuration of the program: `ai-sidecar config schema` has all of it.
}
