-- What is there before anything of the plugin is loaded: the commands and one group of autocommands.
-- Set `vim.g.loaded_ai_sidecar` before this file is read to have neither.
if vim.g.loaded_ai_sidecar then
  return
end
vim.g.loaded_ai_sidecar = 1

if vim.fn.has("nvim-0.11") == 0 then
  vim.notify("ai-sidecar needs Neovim 0.11 or later", vim.log.levels.WARN)
  return
end

---@param name string
---@param run fun(args: vim.api.keyset.create_user_command.command_args)
---@param opts vim.api.keyset.user_command
local function command(name, run, opts)
  vim.api.nvim_create_user_command(name, run, opts)
end

command("Ai", function(args)
  require("ai-sidecar.ask").command(args)
end, {
  nargs = "*",
  range = true,
  bang = true,
  desc = "Ask; the answer streams into a split. With a range: about those lines. !: a new conversation",
})
command("AiEdit", function(args)
  require("ai-sidecar.edit").command(args)
end, { nargs = "*", range = true, desc = "Have the line or the range rewritten; shown as a diff first" })
command("AiAccept", function()
  require("ai-sidecar.edit").accept()
end, { desc = "Take the change that :AiEdit shows" })
command("AiReject", function()
  require("ai-sidecar.edit").reject()
end, { desc = "Drop the change that :AiEdit shows" })
command("AiStop", function()
  require("ai-sidecar.stream").stop()
end, { desc = "Stop what is being answered or rewritten" })
command("AiModel", function(args)
  require("ai-sidecar.model").command(args.args)
end, {
  nargs = "?",
  complete = function(lead)
    return require("ai-sidecar.model").complete(lead)
  end,
  desc = "Choose the model, until Neovim ends",
})
command("AiGhost", function(args)
  require("ai-sidecar.ghost").command(args.args)
end, {
  nargs = "?",
  complete = function()
    return { "on", "off", "toggle" }
  end,
  desc = "Switch completion while typing",
})
command("AiInstall", function()
  require("ai-sidecar.install").run()
end, { desc = "Install the ai-sidecar program into an environment of its own" })

vim.api.nvim_create_autocmd(
  { "BufReadPost", "BufNewFile", "BufFilePost", "BufWritePost", "FileType", "InsertEnter" },
  {
    group = vim.api.nvim_create_augroup("ai-sidecar", {}),
    desc = "Attach ai-sidecar",
    callback = function(args)
      require("ai-sidecar.client").attach(args.buf)
    end,
  }
)
