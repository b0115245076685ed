--- The one running program: started when first needed, shared by all buffers, and the documents it
--- knows of. Knows nothing of what is drawn.
local config = require("ai-sidecar.config")
local install = require("ai-sidecar.install")

local M = {}

M.NAME = "ai_sidecar"

--- After so many ends of its own in a row the program is no longer started by itself.
local MOST_FAILURES = 3
local LARGEST = 4 * 1024 * 1024 -- bytes; a larger file is a log or data, and costs at each keystroke

local failures = 0
local waiting = {} ---@type fun(client?: vim.lsp.Client)[]

---@class ai_sidecar.Shadow
---@field uri string
---@field version integer
---@field tick integer
---@field client integer

--- Buffers without a name: Neovim would give all of them the same URI.
local shadows = {} ---@type table<integer, ai_sidecar.Shadow>

--- Return the running client.
---@return vim.lsp.Client?
function M.get()
  for _, client in ipairs(vim.lsp.get_clients({ name = M.NAME })) do
    if not client:is_stopped() then
      return client
    end
  end
end

--- Say whether one is starting, or runs.
---@return boolean
local function is_coming()
  for _, client in ipairs(vim.lsp.get_clients({ name = M.NAME, _uninitialized = true })) do
    if not client:is_stopped() then
      return true
    end
  end
  return false
end

---@param client? vim.lsp.Client
local function answer_waiting(client)
  local all = waiting
  waiting = {}
  for _, callback in ipairs(all) do
    callback(client)
  end
end

---@param code integer
---@param signal integer
---@param id integer
local function ended(code, signal, id)
  vim.schedule(function()
    for buf, shadow in pairs(shadows) do
      if shadow.client == id then
        shadows[buf] = nil
      end
    end
    require("ai-sidecar.status").reset()
    if code == 0 and signal == 0 then
      failures = 0
    elseif vim.v.exiting == vim.NIL then
      failures = failures + 1 -- Neovim itself tells of each
      if failures == MOST_FAILURES then
        local text = "ai-sidecar: the program ended %d times: it is left alone until you ask for something "
        vim.notify(text:format(failures) .. "(:checkhealth ai-sidecar)", vim.log.levels.ERROR)
      end
    end
    require("ai-sidecar.stream").gone(id)
    if not is_coming() then
      answer_waiting(nil)
    end
  end)
end

--- Return what the plugin adds to `lsp/ai_sidecar.lua`, whoever starts the program.
---@return vim.lsp.Config
function M.lsp_config()
  local settings = config.get().settings
  return {
    init_options = next(settings) and settings or nil, -- an empty table would be sent as a list
    capabilities = { experimental = { aiSidecar = { status = true } } },
    handlers = {
      ["$/progress"] = function(err, params, ctx)
        if not require("ai-sidecar.stream").progress(params) then
          return vim.lsp.handlers["$/progress"](err, params, ctx)
        end
      end,
      ["ai/didChangeStatus"] = function(_, params)
        require("ai-sidecar.status").set(params)
      end,
    },
    on_init = answer_waiting,
    on_exit = ended,
  }
end

---@param program ai_sidecar.Program
---@return vim.lsp.ClientConfig
local function client_config(program)
  local found = vim.deepcopy(vim.lsp.config[M.NAME])
  found.name, found.cmd = M.NAME, program.cmd
  -- One's own, set with vim.lsp.config, stand beside ours.
  for name, ours in pairs({ on_init = answer_waiting, on_exit = ended }) do
    if found[name] ~= ours then
      found[name] = vim.iter({ found[name] or {}, ours }):flatten():totable()
    end
  end
  return found
end

--- Start the program unless it runs. A missing one is told: once, or to whoever asked for something.
---@param buf? integer attach this buffer
---@param unasked boolean
---@return boolean # whether it runs or is starting
local function start(buf, unasked)
  local program = install.find()
  if not program then
    install.missing(unasked)
    return false
  end
  local wanted = client_config(program)
  if buf then
    wanted.root_dir = wanted.root_dir or vim.fs.root(buf, wanted.root_markers or { ".git" })
  end
  if type(wanted.root_dir) ~= "string" then
    wanted.root_dir = vim.uv.cwd()
  end
  local id = vim.lsp.start(wanted, { bufnr = buf, attach = buf ~= nil, reuse_client = wanted.reuse_client })
  return id ~= nil
end

--- Call back with the initialized client, nil if there is none.
---@param callback fun(client?: vim.lsp.Client)
---@param unasked? boolean
function M.ensure(callback, unasked)
  local client = M.get()
  if client and client.initialized then
    return callback(client)
  end
  waiting[#waiting + 1] = callback
  if not is_coming() and not start(nil, unasked == true) then
    answer_waiting(nil)
  end
end

--- Say whether a buffer is one to complete in: a file, or nothing special without a name.
---@param buf integer
---@return boolean
local function is_wanted(buf)
  if not vim.api.nvim_buf_is_loaded(buf) or vim.bo[buf].buftype ~= "" then
    return false
  end
  local name = vim.api.nvim_buf_get_name(buf)
  local scheme = name:match("^(%a[%w+.-]+):")
  if scheme and scheme ~= "file" then
    return false
  end
  if vim.api.nvim_buf_get_offset(buf, vim.api.nvim_buf_line_count(buf)) > LARGEST then
    return false
  end
  local rule = config.get().attach
  return rule == nil or rule(buf)
end

--- Attach a buffer, if it is one to attach. May be called as often as one likes.
---@param buf integer
function M.attach(buf)
  if not is_wanted(buf) or failures >= MOST_FAILURES then
    return
  end
  require("ai-sidecar.ghost").watch(buf)
  local client = M.get()
  if vim.api.nvim_buf_get_name(buf) == "" then
    if not client then
      M.ensure(function() end, true)
    end
    return
  end
  M.forget(buf)
  if not (client and client.attached_buffers[buf]) then
    start(buf, true)
  end
end

--- Attach the buffers that are there already.
function M.attach_all()
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) and vim.bo[buf].buflisted then
      M.attach(buf)
    end
  end
end

---@param buf integer
---@return string
local function text_of(buf)
  local text = table.concat(vim.api.nvim_buf_get_lines(buf, 0, -1, true), "\n")
  return vim.bo[buf].endofline and text .. "\n" or text
end

--- Return the URI under which the program knows a buffer's present text. One that is not attached
--- (it has no name) is told of here.
---@param client vim.lsp.Client
---@param buf integer
---@return string
function M.document(client, buf)
  if client.attached_buffers[buf] then
    return vim.uri_from_bufnr(buf)
  end
  local tick = vim.api.nvim_buf_get_changedtick(buf)
  local shadow = shadows[buf]
  if shadow and shadow.client ~= client.id then
    shadow = nil
  end
  if not shadow then
    local uri = ("untitled:ai-sidecar-%d"):format(buf)
    shadow = { uri = uri, version = 1, tick = tick, client = client.id }
    shadows[buf] = shadow
    client:notify("textDocument/didOpen", {
      textDocument = { uri = shadow.uri, languageId = vim.bo[buf].filetype, version = 1, text = text_of(buf) },
    })
    vim.api.nvim_create_autocmd("BufUnload", {
      buffer = buf,
      once = true,
      callback = function()
        M.forget(buf)
      end,
    })
  elseif shadow.tick ~= tick then
    shadow.version, shadow.tick = shadow.version + 1, tick
    client:notify("textDocument/didChange", {
      textDocument = { uri = shadow.uri, version = shadow.version },
      contentChanges = { { text = text_of(buf) } },
    })
  end
  return shadow.uri
end

--- Close a document that `document` has opened.
---@param buf integer
function M.forget(buf)
  local shadow = shadows[buf]
  if not shadow then
    return
  end
  shadows[buf] = nil
  local client = vim.lsp.get_client_by_id(shadow.client)
  if client and not client:is_stopped() then
    client:notify("textDocument/didClose", { textDocument = { uri = shadow.uri } })
  end
end

--- Stop the program; it is started again when something needs it.
function M.stop()
  local client = M.get()
  if client then
    client:stop()
  end
end

vim.api.nvim_create_autocmd("LspAttach", {
  group = vim.api.nvim_create_augroup("ai-sidecar.client", {}),
  callback = function(args)
    local client = vim.lsp.get_client_by_id(args.data.client_id)
    if client and client.name == M.NAME then
      require("ai-sidecar.ghost").attached(args.buf)
    end
  end,
})

return M
