--- The buffer of a conversation: what is written into it, and how. Knows no requests.
local config = require("ai-sidecar.config")

local api = vim.api
local M = {}

local NS = api.nvim_create_namespace("ai-sidecar.page")
local DIM = api.nvim_create_namespace("ai-sidecar.reasoning")
local count = 0

---@return integer buf
function M.create()
  require("ai-sidecar.highlights").ensure()
  local buf = api.nvim_create_buf(true, true)
  count = count + 1
  api.nvim_buf_set_name(buf, "ai-sidecar://" .. count)
  vim.bo[buf].bufhidden = "hide"
  vim.bo[buf].undolevels = -1 -- an undo step for each piece of an answer helps nobody
  vim.bo[buf].filetype = "markdown"
  vim.bo[buf].modifiable = false
  return buf
end

--- Change the buffer, which nobody else may; windows that are at its end stay there.
---@param buf integer
---@param change fun()
local function write(buf, change)
  if not api.nvim_buf_is_loaded(buf) then
    return
  end
  local last = api.nvim_buf_line_count(buf)
  local following = vim.tbl_filter(function(win)
    return api.nvim_win_get_cursor(win)[1] == last
  end, vim.fn.win_findbuf(buf))
  vim.bo[buf].modifiable = true
  change()
  vim.bo[buf].modifiable, vim.bo[buf].modified = false, false
  last = api.nvim_buf_line_count(buf)
  for _, win in ipairs(following) do
    api.nvim_win_set_cursor(win, { last, 0 })
  end
end

--- Add text at the end.
---@param buf integer
---@param text string
local function append(buf, text)
  write(buf, function()
    api.nvim_buf_set_text(buf, -1, -1, -1, -1, vim.split(text, "\n"))
  end)
end

---@param buf integer
---@return integer # the last row, 0-based
local function last_row(buf)
  return api.nvim_buf_line_count(buf) - 1
end

---@param buf integer
---@return boolean
local function is_empty(buf)
  return last_row(buf) == 0 and api.nvim_buf_get_lines(buf, 0, 1, false)[1] == ""
end

--- Write a question.
---@param buf integer
---@param text string
---@param given? ai_sidecar.Excerpt
function M.question(buf, text, given)
  local lines = { is_empty(buf) and "## You" or "\n\n## You", "", text }
  if given then
    vim.list_extend(lines, { "", given.title .. ":", given.block })
  end
  append(buf, table.concat(lines, "\n"))
end

---@param value table a retry value
---@return [string, string][]
local function retry_note(value)
  local reason = value.error and value.error.kind or "failed"
  local wait = value.waitMs > 0 and ("next attempt in %.1f s"):format(value.waitMs / 1000)
    or "next attempt now"
  return { { ("%s/%s: %s; %s"):format(value.provider, value.model, reason, wait), "AiSidecarNote" } }
end

--- Hide rows behind a fold, wherever the buffer is shown.
---@param buf integer
---@param first integer 0-based
---@param last integer
local function fold(buf, first, last)
  if not config.get().ask.fold_reasoning or last == first then
    return
  end
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    if vim.wo[win].foldmethod == "manual" then
      api.nvim_win_call(win, function()
        vim.cmd(("silent! %d,%dfold"):format(first + 1, last + 1))
      end)
    end
  end
end

---@class ai_sidecar.Answer
---@field add fun(value: table) a progress value
---@field text fun(): string what came of the answer itself
---@field finish fun(note: string, failed: boolean)

--- Begin an answer at the end of the buffer.
---@param buf integer
---@return ai_sidecar.Answer
function M.answer(buf)
  append(buf, "\n\n## …\n\n")
  local heading = last_row(buf) - 2
  local pieces, citations, notes = {}, {}, {} ---@type string[], string[], [string, string][][]
  local part = nil ---@type "text"|"reasoning"|nil what is being written
  local thought = 0 -- the row where reasoning began

  local function end_reasoning()
    if part == "reasoning" then
      local last = last_row(buf)
      append(buf, "\n\n")
      fold(buf, thought, last) -- now that the cursor of no window is on its lines
    end
  end

  local on = {}

  function on.start(value)
    write(buf, function()
      local name = ("## %s/%s"):format(value.provider, value.model)
      api.nvim_buf_set_lines(buf, heading, heading + 1, false, { name })
    end)
  end

  function on.retry(value)
    notes[#notes + 1] = retry_note(value)
    api.nvim_buf_set_extmark(buf, NS, heading, 0, { id = heading + 1, virt_lines = notes })
  end

  function on.text(value)
    end_reasoning()
    part = "text"
    pieces[#pieces + 1] = value.text
    append(buf, (value.text:gsub("\r\n", "\n")))
  end

  function on.reasoning(value)
    local text = (value.text or ""):gsub("\r\n", "\n"):gsub("\n", "\n> ")
    if text == "" then
      return
    end
    if part ~= "reasoning" then
      append(buf, part == "text" and "\n\n> " or "> ")
      part, thought = "reasoning", last_row(buf)
    end
    local from = last_row(buf)
    append(buf, text)
    for row = from, last_row(buf) do
      local opts =
        { id = row + 1, end_row = row + 1, hl_group = "AiSidecarReasoning", priority = 200, strict = false }
      api.nvim_buf_set_extmark(buf, DIM, row, 0, opts)
    end
  end

  function on.code(value)
    end_reasoning()
    part = "text"
    local block = ("\n```%s\n%s\n```\n"):format(value.language, value.code)
    append(buf, value.output and ("%s\n```\n%s\n```\n"):format(block, value.output) or block)
  end

  function on.citation(value)
    local title = value.title and value.title ~= "" and value.title or value.url
    citations[#citations + 1] = ("- [%s](%s)"):format(title, value.url)
  end

  local answer = {} ---@type ai_sidecar.Answer

  function answer.add(value)
    if api.nvim_buf_is_loaded(buf) and on[value.kind] then
      on[value.kind](value)
    end
  end

  function answer.text()
    return table.concat(pieces)
  end

  function answer.finish(note, failed)
    if not api.nvim_buf_is_loaded(buf) then
      return
    end
    end_reasoning()
    if #citations > 0 then
      append(buf, "\n\n" .. table.concat(citations, "\n"))
    end
    local blank = 0 -- one empty line above, also where the answer ends with some
    for _, line in ipairs(part == "text" and api.nvim_buf_get_lines(buf, -3, -1, false) or { "", "" }) do
      blank = line == "" and blank + 1 or 0
    end
    append(buf, ("\n"):rep(math.max(0, 2 - blank)) .. "— " .. note)
    local row, group = last_row(buf), failed and "AiSidecarError" or "AiSidecarNote"
    api.nvim_buf_set_extmark(
      buf,
      NS,
      row,
      0,
      { end_row = row + 1, hl_group = group, strict = false, priority = 200 }
    )
  end

  return answer
end

return M
