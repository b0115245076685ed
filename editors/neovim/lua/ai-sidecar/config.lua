--- The options: their defaults, and what is said about a wrong one.
local M = {}

---@class ai_sidecar.Keymaps
---@field accept? string|false
---@field accept_word? string|false
---@field accept_line? string|false
---@field dismiss? string|false

---@class ai_sidecar.GhostOptions
---@field enabled? boolean
---@field native? boolean Neovim 0.12: leave drawing and asking to |vim.lsp.inline_completion|
---@field filetypes? table<string, boolean> false: not there
---@field keymaps? ai_sidecar.Keymaps|false in force while ghost text is shown, and only then

---@class ai_sidecar.AskOptions
---@field layout? "vertical"|"horizontal"|"tab"|"current"
---@field size? number part of the screen (below 1), or columns or lines
---@field system? string a system prompt
---@field fold_reasoning? boolean

---@class ai_sidecar.EditOptions
---@field keymaps? { accept?: string|false, reject?: string|false }|false in force while a change is shown

---@class ai_sidecar.InstallOptions
---@field dir? string the private environment
---@field source? string what pip installs
---@field python? string
---@field model? boolean install the embedded model, too

---@class ai_sidecar.Options
---@field cmd? string[] the program and its arguments; default: found, see |ai-sidecar-program|
---@field settings? table<string, any> the program's configuration (initializationOptions)
---@field attach? fun(buf: integer): boolean which further rule a buffer has to pass
---@field ghost? ai_sidecar.GhostOptions
---@field ask? ai_sidecar.AskOptions
---@field edit? ai_sidecar.EditOptions
---@field install? ai_sidecar.InstallOptions

M.defaults = {
  settings = {},
  ghost = {
    enabled = true,
    native = false,
    filetypes = {},
    keymaps = {
      accept = "<Tab>",
      accept_word = "<C-Right>",
      accept_line = "<C-Down>",
      dismiss = "<C-]>",
    },
  },
  ask = { layout = "vertical", size = 0.4, fold_reasoning = true },
  edit = { keymaps = { accept = "ga", reject = "gr" } },
  install = { model = true },
}

local KINDS = {
  cmd = "table",
  settings = "table",
  attach = "function",
  ghost = { enabled = "boolean", native = "boolean", filetypes = "table", keymaps = { "table", "boolean" } },
  ask = { layout = "string", size = "number", system = "string", fold_reasoning = "boolean" },
  edit = { keymaps = { "table", "boolean" } },
  install = { dir = "string", source = "string", python = "string", model = "boolean" },
}

local current ---@type ai_sidecar.Options?

--- Return what is wrong, one line each.
---@param opts table
---@param kinds table
---@param path string
---@return string[]
local function problems(opts, kinds, path)
  local found = {} ---@type string[]
  for name, value in vim.spairs(opts) do
    local kind = kinds[name]
    local nested = type(kind) == "table" and not vim.islist(kind)
    if kind == nil then
      found[#found + 1] = ("%s%s: no such option"):format(path, name)
    elseif nested and type(value) == "table" then
      vim.list_extend(found, problems(value, kind, path .. name .. "."))
    else
      local allowed = nested and { "table" } or type(kind) == "table" and kind or { kind }
      if not vim.list_contains(allowed, type(value)) then
        local wanted = table.concat(allowed, " or ")
        found[#found + 1] = ("%s%s: expected %s, got %s"):format(path, name, wanted, type(value))
      end
    end
  end
  return found
end

---@param opts ai_sidecar.Options
function M.set(opts)
  local wrong = problems(opts, KINDS, "")
  if #wrong > 0 then
    vim.notify("ai-sidecar: setup: " .. table.concat(wrong, "; "), vim.log.levels.ERROR)
    return
  end
  current = vim.tbl_deep_extend("force", vim.deepcopy(M.defaults), opts)
end

--- Return the options in force. Before `setup`, `vim.g.ai_sidecar` counts.
---@return ai_sidecar.Options
function M.get()
  if not current then
    M.set(type(vim.g.ai_sidecar) == "table" and vim.g.ai_sidecar or {})
    current = current or vim.deepcopy(M.defaults)
  end
  return current
end

--- Return the clone that this plugin lies in, nil where it was copied somewhere else.
---@return string?
function M.clone()
  local here = debug.getinfo(1, "S").source:gsub("^@", "")
  local plugin = vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.uv.fs_realpath(here) or here)))
  local root = vim.fs.dirname(vim.fs.dirname(plugin))
  local project = vim.fs.joinpath(root, "pyproject.toml")
  local file = io.open(project)
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return text:find('name = "ai-sidecar"', 1, true) and root or nil
end

return M
