--- One completion: from the item of an answer to text at a place, and the parts it is taken in.
local api = vim.api
local M = {}

---@class ai_sidecar.Ghost
---@field buf integer
---@field row integer where the text begins, 0-based
---@field col integer in bytes
---@field before string what stands before that in its line
---@field suffix string what stands behind the cursor in its line
---@field text string from there, lines ended by "\n"
---@field tail integer bytes behind the cursor that it replaces
---@field typed integer bytes of `text` that stand in the buffer by now
---@field tick integer changedtick when last drawn
---@field item table as it came
---@field head string what of the item stood there already when it came
---@field client integer

--- Return an item as something to show at the cursor, nil where it does not fit there.
---@param client vim.lsp.Client
---@param buf integer
---@param item table
---@param row integer
---@param col integer
---@return ai_sidecar.Ghost?
function M.new(client, buf, item, row, col)
  if type(item.insertText) ~= "string" then
    return nil -- a snippet: the program sends none
  end
  local line = api.nvim_buf_get_lines(buf, row, row + 1, true)[1]
  local text = item.insertText:gsub("\r\n", "\n")
  local head, tail = "", 0
  if item.range then
    local from, to = item.range.start, item.range["end"]
    if from.line ~= row or to.line ~= row then
      return nil
    end
    local first = vim.str_byteindex(line, client.offset_encoding, from.character, false)
    local last = vim.str_byteindex(line, client.offset_encoding, to.character, false)
    if first > col or last < col then
      return nil
    end
    head, tail = line:sub(first + 1, col), last - col
  end
  if not vim.startswith(text, head) or #text == #head then
    return nil
  end
  return {
    buf = buf,
    row = row,
    col = col,
    before = line:sub(1, col),
    suffix = line:sub(col + 1),
    text = text:sub(#head + 1),
    tail = tail,
    typed = 0,
    tick = 0,
    item = item,
    head = head,
    client = client.id,
  }
end

--- Return the part of `text` that is taken at once.
---@param text string
---@param what "all"|"word"|"line"
---@return string
function M.part(text, what)
  if what == "word" then
    local word = vim.fn.matchstr(text, [[^\_s*\%(\k\+\|\%(\k\@!\S\)\+\)]])
    return word ~= "" and word or text
  elseif what == "line" then
    return text:match("^\n?[^\n]*")
  end
  return text
end

return M
