--- :AiEdit: lines rewritten as told, shown as a diff in place, and changed only when that is accepted.
local client = require("ai-sidecar.client")
local config = require("ai-sidecar.config")
local errors = require("ai-sidecar.errors")
local keys = require("ai-sidecar.keys")
local stream = require("ai-sidecar.stream")

local api = vim.api
local M = {}

local NS = api.nvim_create_namespace("ai-sidecar.edit")
local GROUP = api.nvim_create_augroup("ai-sidecar.edit", {})

---@class ai_sidecar.Edit
---@field buf integer
---@field tick integer changedtick of the text it was made for
---@field edits table[] TextEdit[]
---@field encoding string
---@field unmap fun()

local shown = {} ---@type table<integer, ai_sidecar.Edit> by buffer
local asked = {} ---@type table<integer, ai_sidecar.Handle> by buffer

---@param text string
local function warn(text)
  vim.notify("ai-sidecar: " .. text, vim.log.levels.WARN)
end

--- Return the edits of the one document, nil if others would change as well.
---@param edit table WorkspaceEdit
---@param uri string
---@return table[]?
local function edits_of(edit, uri)
  local found = {} ---@type table[]
  for name, edits in pairs(edit.changes or {}) do
    if name ~= uri then
      return nil
    end
    vim.list_extend(found, edits)
  end
  for _, change in ipairs(edit.documentChanges or {}) do
    if change.kind or change.textDocument.uri ~= uri then
      return nil
    end
    vim.list_extend(found, change.edits)
  end
  return found
end

--- Return the text as the edits would leave it.
---@param buf integer
---@param edits table[]
---@param encoding string
---@return string[]
local function edited(buf, edits, encoding)
  local copy = api.nvim_create_buf(false, true)
  api.nvim_buf_set_lines(copy, 0, -1, false, api.nvim_buf_get_lines(buf, 0, -1, false))
  vim.lsp.util.apply_text_edits(vim.deepcopy(edits), copy, encoding --[[@as "utf-8"]])
  local lines = api.nvim_buf_get_lines(copy, 0, -1, false)
  api.nvim_buf_delete(copy, { force = true })
  return lines
end

--- Draw one hunk: what goes is coloured, what comes stands below it.
---@param buf integer
---@param new string[]
---@param hunk integer[] of |vim.diff()|, 1-based
local function draw(buf, new, hunk)
  local from, gone, at, come = unpack(hunk)
  if gone > 0 then
    local mark = { end_row = from - 1 + gone, hl_group = "AiSidecarOld", hl_eol = true, strict = false }
    api.nvim_buf_set_extmark(buf, NS, from - 1, 0, mark)
  end
  if come == 0 then
    return
  end
  local tab, width = (" "):rep(vim.bo[buf].tabstop), 0
  local rows = {} ---@type string[]
  for index = at, at + come - 1 do
    local text = new[index]:gsub("\t", tab)
    rows[#rows + 1], width = text, math.max(width, vim.fn.strdisplaywidth(text))
  end
  local below = vim.tbl_map(function(text)
    return { { text .. (" "):rep(width - vim.fn.strdisplaywidth(text)), "AiSidecarNew" } }
  end, rows)
  local row = gone > 0 and from + gone - 2 or from - 1
  local above = row < 0
  api.nvim_buf_set_extmark(buf, NS, math.max(row, 0), 0, { virt_lines = below, virt_lines_above = above })
end

---@param buf integer
---@return ai_sidecar.Edit?
local function take(buf)
  local edit = shown[buf]
  if not edit then
    return nil
  end
  shown[buf] = nil
  edit.unmap()
  if api.nvim_buf_is_valid(buf) then
    api.nvim_buf_clear_namespace(buf, NS, 0, -1)
    api.nvim_clear_autocmds({ group = GROUP, buffer = buf })
  end
  return edit
end

---@param buf integer
---@return fun() unmap
---@return string hint
local function map(buf)
  local keymaps = config.get().edit.keymaps or {}
  local wanted, hints = {}, {} ---@type ai_sidecar.Key[], string[]
  for _, name in ipairs({ "accept", "reject" }) do
    local lhs = keymaps[name]
    if lhs then
      wanted[#wanted + 1] = { lhs = lhs, rhs = M[name], desc = name .. " the change" }
    end
    hints[#hints + 1] = ("%s %s"):format(
      lhs or (name == "accept" and ":AiAccept" or ":AiReject"),
      name .. "s"
    )
  end
  return keys.over(buf, "n", wanted), table.concat(hints, ", ")
end

--- Show a change and wait for its verdict.
---@param buf integer
---@param edits table[]
---@param encoding string
local function preview(buf, edits, encoding)
  take(buf)
  local old = api.nvim_buf_get_lines(buf, 0, -1, false)
  local new = edited(buf, edits, encoding)
  local diff = vim.text.diff or vim.diff -- 0.12, 0.11
  local hunks = diff(table.concat(old, "\n") .. "\n", table.concat(new, "\n") .. "\n", {
    result_type = "indices",
    algorithm = "histogram",
  }) --[[@as integer[][] ]]
  if #hunks == 0 then
    return vim.notify("ai-sidecar: nothing to change")
  end
  require("ai-sidecar.highlights").ensure()
  for _, hunk in ipairs(hunks) do
    draw(buf, new, hunk)
  end
  local unmap, hint = map(buf)
  local row = math.max(hunks[1][1] - 1, 0)
  api.nvim_buf_set_extmark(
    buf,
    NS,
    row,
    0,
    { virt_text = { { "  " .. hint, "AiSidecarNote" } }, virt_text_pos = "eol" }
  )
  shown[buf] = {
    buf = buf,
    tick = api.nvim_buf_get_changedtick(buf),
    edits = edits,
    encoding = encoding,
    unmap = unmap,
  }
  api.nvim_create_autocmd({ "TextChanged", "TextChangedI", "BufUnload" }, {
    group = GROUP,
    buffer = buf,
    callback = function(args)
      local edit = shown[buf]
      if edit and (args.event == "BufUnload" or api.nvim_buf_get_changedtick(buf) ~= edit.tick) then
        take(buf)
        if args.event ~= "BufUnload" then
          warn("the text has changed: the edit was dropped")
        end
      end
    end,
  })
end

---@param buf integer
---@param tick integer
---@param uri string
---@param encoding string
---@param result? table WorkspaceEdit
local function answered(buf, tick, uri, encoding, result)
  if not api.nvim_buf_is_loaded(buf) then
    return
  end
  if api.nvim_buf_get_changedtick(buf) ~= tick then
    return warn("the text has changed meanwhile: nothing was done, ask again")
  end
  local edits = edits_of(result or {}, uri)
  if not edits then
    return warn("the program wanted to change other files: nothing was done")
  end
  preview(buf, edits, encoding)
end

---@param buf integer
---@param first integer 1-based
---@param last integer
---@param instruction string
local function rewrite(buf, first, last, instruction)
  client.ensure(function(running)
    if not running or not api.nvim_buf_is_loaded(buf) then
      return
    end
    take(buf)
    local uri, encoding = client.document(running, buf), running.offset_encoding
    local tick = api.nvim_buf_get_changedtick(buf)
    local end_line = api.nvim_buf_get_lines(buf, last - 1, last, true)[1]
    local range = {
      start = { line = first - 1, character = 0 },
      ["end"] = { line = last - 1, character = vim.str_utfindex(end_line, encoding) },
    }
    require("ai-sidecar.highlights").ensure()
    local busy = api.nvim_buf_set_extmark(buf, NS, first - 1, 0, {
      virt_text = { { "  rewriting … (:AiStop stops)", "AiSidecarNote" } },
      virt_text_pos = "eol",
    })
    local params = {
      command = "aiSidecar.rewrite",
      arguments = { { uri = uri, range = range, instruction = instruction } },
    }
    asked[buf] = stream.request(running, "workspace/executeCommand", params, function(err, result, stopped)
      asked[buf] = nil
      if api.nvim_buf_is_valid(buf) then
        api.nvim_buf_del_extmark(buf, NS, busy)
      end
      if stopped then
        vim.notify("ai-sidecar: stopped")
      elseif err then
        errors.notify(err)
      else
        answered(buf, tick, uri, encoding, result)
      end
    end, buf)
  end)
end

--- Take the change that is shown in the current buffer: one step of undo.
function M.accept()
  local buf = api.nvim_get_current_buf()
  local edit = take(buf)
  if not edit then
    return warn("there is no change to accept")
  end
  if api.nvim_buf_get_changedtick(buf) ~= edit.tick then
    return warn("the text has changed meanwhile: nothing was done")
  end
  vim.lsp.util.apply_text_edits(edit.edits, buf, edit.encoding --[[@as "utf-8"]])
end

--- Drop the change that is shown in the current buffer.
function M.reject()
  if not take(api.nvim_get_current_buf()) then
    warn("there is no change to reject")
  end
end

--- :AiEdit
---@param args vim.api.keyset.create_user_command.command_args
function M.command(args)
  local buf, first, last = api.nvim_get_current_buf(), args.line1, args.line2
  if not vim.bo[buf].modifiable then
    return warn("this buffer cannot be changed")
  end
  if asked[buf] then
    return warn("it is still rewriting (:AiStop stops it)")
  end
  if vim.trim(args.args) ~= "" then
    return rewrite(buf, first, last, args.args)
  end
  vim.ui.input({ prompt = "Edit: " }, function(text)
    if text and vim.trim(text) ~= "" then
      rewrite(buf, first, last, text)
    end
  end)
end

return M
