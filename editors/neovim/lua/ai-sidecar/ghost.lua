--- Completion while typing: asked for, shown, shortened, and taken whole or in parts.
---
--- One at a time: where the cursor is. What is typed that agrees with it only shortens it. The pause
--- before a model is asked is the program's, which learns the writer's rhythm; here is no timer.
local config = require("ai-sidecar.config")
local keys = require("ai-sidecar.keys")
local suggestion = require("ai-sidecar.suggestion")
local view = require("ai-sidecar.ghost_view")

local api = vim.api
local M = {}

local NS = view.NS
local GROUP = api.nvim_create_augroup("ai-sidecar.ghost", {})

local shown ---@type ai_sidecar.Ghost?
local pending ---@type { id: integer, client: integer, row: integer, col: integer, tick: integer }?
local unmap ---@type fun()? takes our keys away
local told ---@type string? the last failure that was shown

-- Keys: ours exist only while there is something to take, so that all others are as they were.

---@param what "all"|"word"|"line"
---@return string
local function keys_for(what)
  return ([[<C-g>u<Cmd>lua require("ai-sidecar.ghost").insert(%q)<CR><C-g>u]]):format(what)
end

local ACTIONS = {
  { name = "accept", keys = keys_for("all"), desc = "accept" },
  { name = "accept_word", keys = keys_for("word"), desc = "accept a word" },
  { name = "accept_line", keys = keys_for("line"), desc = "accept a line" },
  { name = "dismiss", keys = [[<Cmd>lua require("ai-sidecar.ghost").dismiss()<CR>]], desc = "dismiss" },
}

---@param buf integer
local function map(buf)
  local keymaps = config.get().ghost.keymaps
  if not keymaps or unmap then
    return
  end
  local wanted = {} ---@type ai_sidecar.Key[]
  for _, action in ipairs(ACTIONS) do
    local lhs = keymaps[action.name]
    if lhs then
      wanted[#wanted + 1] = { lhs = lhs, rhs = action.keys, desc = action.desc }
    end
  end
  unmap = keys.over(buf, "i", wanted)
end

local function clear()
  local ghost = shown
  shown = nil
  if ghost then
    if api.nvim_buf_is_valid(ghost.buf) then
      api.nvim_buf_clear_namespace(ghost.buf, NS, 0, -1)
    end
  end
  if unmap then
    unmap()
    unmap = nil
  end
end

local function cancel()
  local request = pending
  pending = nil
  local client = request and vim.lsp.get_client_by_id(request.client)
  if request and client and client.requests[request.id] then
    client:cancel_request(request.id)
  end
end

-- Telling the program.

---@param ghost ai_sidecar.Ghost
---@param method string
---@param params table
local function tell(ghost, method, params)
  local client = vim.lsp.get_client_by_id(ghost.client)
  if client and not client:is_stopped() then
    client:notify(method, params)
  end
end

---@param ghost ai_sidecar.Ghost
local function tell_accepted(ghost)
  local client = vim.lsp.get_client_by_id(ghost.client)
  if client and ghost.item.command then
    client:exec_cmd(ghost.item.command, { bufnr = ghost.buf }, function() end)
  end
end

---@param ghost ai_sidecar.Ghost
local function tell_partly_accepted(ghost)
  local taken = ghost.head .. ghost.text:sub(1, ghost.typed)
  if ghost.item.insertText:find("\r\n", 1, true) then
    taken = taken:gsub("\n", "\r\n")
  end
  tell(ghost, "textDocument/didPartiallyAcceptCompletion", {
    item = ghost.item,
    acceptedLength = vim.str_utfindex(taken, "utf-16"),
  })
end

-- Whether and what.

---@return boolean
local function inserting()
  return api.nvim_get_mode().mode:find("^i") ~= nil
end

--- Say whether an item of the editor's own list is chosen: then that is what is being completed.
---@return boolean
local function menu_has_choice()
  return vim.fn.pumvisible() == 1 and vim.fn.complete_info({ "selected" }).selected >= 0
end

---@param buf integer
---@return boolean
local function is_native(buf)
  local native = vim.lsp.inline_completion ---@diagnostic disable-line: undefined-field  -- 0.12
  return native ~= nil and native.is_enabled ~= nil and native.is_enabled({ bufnr = buf })
end

---@param buf integer
---@return boolean
local function enabled(buf)
  local options = config.get().ghost
  return options.enabled
    and options.filetypes[vim.bo[buf].filetype] ~= false
    and vim.b[buf].ai_sidecar_ghost ~= false
    and not is_native(buf)
end

---@param err ai_sidecar.Error
local function failed(err)
  local text = require("ai-sidecar.errors").line(err)
  if text ~= told then
    told = text
    vim.notify("ai-sidecar: no completion: " .. text, vim.log.levels.WARN)
  end
end

---@param client vim.lsp.Client
---@param buf integer
---@param asked { row: integer, col: integer, tick: integer }
---@param result? table
local function answered(client, buf, asked, result)
  if api.nvim_get_current_buf() ~= buf or not inserting() or menu_has_choice() then
    return
  end
  local at = api.nvim_win_get_cursor(0)
  if at[1] - 1 ~= asked.row or at[2] ~= asked.col or api.nvim_buf_get_changedtick(buf) ~= asked.tick then
    return
  end
  local items = result and (result.items or result) or {}
  if items[1] then
    told = nil
  end
  local ghost = items[1] and suggestion.new(client, buf, items[1], asked.row, asked.col)
  clear()
  if ghost then
    shown = ghost
    view.draw(ghost, asked.row, asked.col)
    map(buf)
    tell(ghost, "textDocument/didShowCompletion", { item = ghost.item })
  end
end

--- Ask for a completion at the cursor.
---@param opts? { invoked?: boolean }
function M.request(opts)
  cancel()
  local buf = api.nvim_get_current_buf()
  local invoked = opts ~= nil and opts.invoked == true
  if not (enabled(buf) or invoked) or not inserting() or menu_has_choice() then
    return
  end
  local documents = require("ai-sidecar.client")
  local client = documents.get()
  if not client then
    return
  end
  require("ai-sidecar.highlights").ensure()
  local at = api.nvim_win_get_cursor(0)
  local row, col, tick = at[1] - 1, at[2], api.nvim_buf_get_changedtick(buf)
  local line = api.nvim_get_current_line()
  local asked = { row = row, col = col, tick = tick }
  -- Known by itself: another buffer may have the same place and the same number of changes.
  local mine = { id = 0, client = client.id, row = row, col = col, tick = tick }
  pending = mine
  local ok, id = client:request("textDocument/inlineCompletion", {
    textDocument = { uri = documents.document(client, buf) },
    position = { line = row, character = vim.str_utfindex(line, client.offset_encoding, col, false) },
    context = { triggerKind = invoked and 1 or 2 },
  }, function(err, result)
    if pending == mine then
      pending = nil
    end
    if err then
      failed(err)
    else
      answered(client, buf, asked, result)
    end
  end, buf)
  if ok and id then
    mine.id = id
  elseif pending == mine then
    pending = nil
  end
end

--- Shorten what is shown by what was typed.
---@return boolean # whether it still fits and something is left of it
local function advance()
  local ghost = shown
  if not ghost or ghost.buf ~= api.nvim_get_current_buf() then
    return false
  end
  local at = api.nvim_win_get_cursor(0)
  local row, col = at[1] - 1, at[2]
  if row < ghost.row or (row == ghost.row and col < ghost.col) then
    return false
  end
  local line = api.nvim_get_current_line()
  local before = api.nvim_buf_get_lines(ghost.buf, ghost.row, ghost.row + 1, true)[1]
  if line:sub(col + 1) ~= ghost.suffix or before:sub(1, ghost.col) ~= ghost.before then
    return false
  end
  local typed = table.concat(api.nvim_buf_get_text(ghost.buf, ghost.row, ghost.col, row, col, {}), "\n")
  if #typed >= #ghost.text or not vim.startswith(ghost.text, typed) then
    return false
  end
  ghost.typed = #typed
  view.draw(ghost, row, col)
  return true
end

local function changed()
  if menu_has_choice() then
    cancel()
    return clear()
  end
  if not advance() then
    clear()
    M.request()
  end
end

local function moved()
  local tick = api.nvim_buf_get_changedtick(0)
  local at = api.nvim_win_get_cursor(0)
  if pending and pending.tick == tick and (pending.row ~= at[1] - 1 or pending.col ~= at[2]) then
    cancel()
  end
  -- After a change comes TextChangedI, which knows better.
  if shown and shown.tick == tick then
    local mark = api.nvim_buf_get_extmark_by_id(shown.buf, NS, 1, {})
    if mark[1] ~= at[1] - 1 or mark[2] ~= at[2] then
      clear()
    end
  end
end

local function left()
  cancel()
  clear()
end

-- Taking it.

--- Put it into the buffer; what the mappings call. The undo step is theirs.
---@param what "all"|"word"|"line"
function M.insert(what)
  local ghost = shown
  if not ghost or ghost.buf ~= api.nvim_get_current_buf() then
    return
  end
  local at = api.nvim_win_get_cursor(0)
  local row, col = at[1] - 1, at[2]
  local left_over = ghost.text:sub(ghost.typed + 1)
  local piece = suggestion.part(left_over, what)
  local whole = #piece == #left_over
  local lines = vim.split(piece, "\n")
  local tail = whole and ghost.tail or 0
  api.nvim_buf_set_text(ghost.buf, row, col, row, col + tail, lines)
  local last = #lines
  api.nvim_win_set_cursor(0, { row + last, last == 1 and col + #piece or #lines[last] })
  if whole then
    clear()
    tell_accepted(ghost)
  elseif advance() then
    tell_partly_accepted(ghost)
  else
    clear()
  end
end

--- Take what is shown, as if its key had been pressed.
---@param what "all"|"word"|"line"
---@return boolean # whether there was anything
function M.accept(what)
  if not M.visible() then
    return false
  end
  api.nvim_feedkeys(api.nvim_replace_termcodes(keys_for(what), true, true, true), "in", false)
  return true
end

---@return boolean # whether there was anything
function M.dismiss()
  local any = M.visible()
  left()
  return any
end

---@return boolean
function M.visible()
  return shown ~= nil and shown.buf == api.nvim_get_current_buf()
end

-- Where and whether.

--- Complete in a buffer from now on.
---@param buf integer
function M.watch(buf)
  if #api.nvim_get_autocmds({ group = GROUP, buffer = buf }) > 0 then
    return
  end
  ---@param events string|string[]
  ---@param callback fun()
  local function on(events, callback)
    api.nvim_create_autocmd(events, {
      group = GROUP,
      buffer = buf,
      callback = function()
        callback()
      end,
    })
  end
  on({ "TextChangedI", "TextChangedP" }, changed)
  on("InsertEnter", vim.schedule_wrap(M.request))
  on("CursorMovedI", moved)
  on({ "InsertLeave", "BufLeave", "WinLeave", "BufUnload" }, left)
end

--- The program knows the buffer now. With `native`, Neovim 0.12 does the rest.
---@param buf integer
function M.attached(buf)
  local options = config.get().ghost
  local native = vim.lsp.inline_completion ---@diagnostic disable-line: undefined-field  -- 0.12
  if not (options.native and options.enabled and native and native.enable) then
    return
  end
  native.enable(true, { bufnr = buf })
  local lhs = options.keymaps and options.keymaps.accept
  if lhs then
    vim.keymap.set("i", lhs, function()
      return native.get({ bufnr = buf }) and "" or lhs
    end, { buffer = buf, expr = true, desc = "ai-sidecar: accept" })
  end
end

--- :AiGhost
---@param what string "on", "off", or anything else to toggle
function M.command(what)
  local options = config.get().ghost
  options.enabled = what == "on" or (what ~= "off" and not options.enabled)
  if not options.enabled then
    left()
  end
  vim.notify("ai-sidecar: completion while typing is " .. (options.enabled and "on" or "off"))
end

return M
