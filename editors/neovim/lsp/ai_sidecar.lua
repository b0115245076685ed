-- ai-sidecar as a plain language server: `vim.lsp.enable("ai_sidecar")`. This file needs nothing else
-- of the plugin, and may be copied to `lsp/` of one's own configuration. The plugin starts from it too,
-- so that `vim.lsp.config("ai_sidecar", { ... })` is one place for both.

---@type vim.lsp.Config
local config = {
  cmd = { "ai-sidecar" },
  root_markers = { ".git" },
  -- One process for all folders: what it may spend and how often it may ask is shared.
  reuse_client = function(client, wanted)
    return client.name == wanted.name and not client:is_stopped()
  end,
  -- init_options = { ... } is the configuration of the program: `ai-sidecar config schema` has all of it.
}

-- Where the plugin is loaded, its part is added.
if vim.fn.exists(":AiModel") == 2 then
  return vim.tbl_extend("force", config, require("ai-sidecar.client").lsp_config())
end
return config
