--- :Ai: a question, its answer as it comes, and the conversation that this begins.
---
--- A conversation is a buffer. What was said is kept beside it as messages, a model's own state
--- included, which goes back untouched.
local client = require("ai-sidecar.client")
local config = require("ai-sidecar.config")
local errors = require("ai-sidecar.errors")
local page = require("ai-sidecar.page")
local stream = require("ai-sidecar.stream")

local api = vim.api
local M = {}

---@class ai_sidecar.Conversation
---@field buf integer
---@field messages table[] Message[] of the wire contract
---@field handle? ai_sidecar.Handle

local conversations = {} ---@type table<integer, ai_sidecar.Conversation> by buffer
local latest ---@type ai_sidecar.Conversation?

---@param buf integer
---@return integer? win in the present tab
local function window_of(buf)
  for _, win in ipairs(api.nvim_tabpage_list_wins(0)) do
    if api.nvim_win_get_buf(win) == buf then
      return win
    end
  end
end

---@param share number
---@param whole integer
---@return integer
local function size(share, whole)
  return math.max(10, math.floor(share < 1 and share * whole or share))
end

--- Show a conversation; the cursor stays where it is.
---@param buf integer
local function show(buf)
  if window_of(buf) then
    return
  end
  local options = config.get().ask
  local before = latest and window_of(latest.buf)
  local win ---@type integer
  if before then
    win = before
    api.nvim_win_set_buf(win, buf)
  elseif options.layout == "current" then
    win = api.nvim_get_current_win()
    api.nvim_win_set_buf(win, buf)
  elseif options.layout == "tab" then
    vim.cmd("tab sbuffer " .. buf)
    win = api.nvim_get_current_win()
  elseif options.layout == "horizontal" then
    win =
      api.nvim_open_win(buf, false, { split = "below", win = -1, height = size(options.size, vim.o.lines) })
  else
    win =
      api.nvim_open_win(buf, false, { split = "right", win = -1, width = size(options.size, vim.o.columns) })
  end
  local wo = vim.wo[win][0]
  wo.wrap, wo.linebreak, wo.breakindent = true, true, true
  wo.number, wo.relativenumber, wo.signcolumn, wo.list = false, false, "no", false
  wo.foldmethod, wo.foldenable, wo.foldlevel = "manual", true, 0
end

---@return ai_sidecar.Conversation
local function new()
  local buf = page.create()
  local talk = { buf = buf, messages = {} } ---@type ai_sidecar.Conversation
  conversations[buf] = talk
  ---@param lhs string
  ---@param run string|fun()
  ---@param desc string
  local function map(lhs, run, desc)
    vim.keymap.set("n", lhs, run, { buffer = buf, desc = "ai-sidecar: " .. desc, nowait = true })
  end
  map("<CR>", function()
    M.prompt(talk)
  end, "ask on")
  map("q", "<Cmd>close<CR>", "close the window")
  map("<C-c>", function()
    if talk.handle and talk.handle.running then
      talk.handle.stop()
    end
  end, "stop")
  api.nvim_create_autocmd("BufUnload", {
    buffer = buf,
    callback = function()
      if talk.handle then
        talk.handle.stop()
      end
      conversations[buf] = nil
      latest = latest ~= talk and latest or nil
    end,
  })
  return talk
end

--- Return the conversation to go on with.
---@return ai_sidecar.Conversation?
local function present()
  return conversations[api.nvim_get_current_buf()] or latest
end

---@class ai_sidecar.Excerpt
---@field title string
---@field block string fenced

--- Return lines of the current buffer as a fenced block.
---@param first integer 1-based
---@param last integer
---@return ai_sidecar.Excerpt
local function excerpt(first, last)
  local lines = api.nvim_buf_get_lines(0, first - 1, last, false)
  local fence = "```"
  for _, line in ipairs(lines) do
    for ticks in line:gmatch("`+") do
      if #ticks >= #fence then
        fence = ("`"):rep(#ticks + 1)
      end
    end
  end
  local name = vim.fn.fnamemodify(api.nvim_buf_get_name(0), ":.")
  local where = first == last and ("line %d"):format(first) or ("lines %d-%d"):format(first, last)
  local body = { fence .. vim.bo.filetype }
  vim.list_extend(body, lines)
  body[#body + 1] = fence
  return { title = (name ~= "" and name .. ", " or "") .. where, block = table.concat(body, "\n") }
end

--- Return the assistant's message: state that goes back, then the text.
---@param text string
---@param result? table CompletionResult
---@return table
local function answer_message(text, result)
  local parts = {} ---@type table[]
  for _, part in ipairs(result and result.reasoning or {}) do
    part.type = "reasoning"
    parts[#parts + 1] = part
  end
  if #parts == 0 then
    return { role = "assistant", content = text }
  end
  parts[#parts + 1] = { type = "text", text = text }
  return { role = "assistant", content = parts }
end

---@param result table CompletionResult
---@return string
local function summary(result)
  local status, usage = require("ai-sidecar.status"), result.usage
  local parts = { ("%s/%s"):format(result.provider, result.model) }
  parts[#parts + 1] = ("%s (%d in, %d out)"):format(
    status.count(usage.totalTokens),
    usage.inputTokens,
    usage.outputTokens
  )
  if result.cost then
    parts[#parts + 1] = (result.cost.source == "estimate" and "about " or "") .. status.cost(result.cost.usd)
  end
  parts[#parts + 1] = ("%.1f s"):format(result.timing.totalMs / 1000)
  if result.finishReason == "length" then
    parts[#parts + 1] = "cut off at the longest answer"
  elseif result.finishReason == "contentFilter" then
    parts[#parts + 1] = "refused"
  end
  return table.concat(parts, " · ")
end

---@param talk ai_sidecar.Conversation
---@param running vim.lsp.Client
local function send(talk, running)
  local answer = page.answer(talk.buf)
  local params = { messages = talk.messages, system = config.get().ask.system }
  talk.handle = stream.start(running, params, answer.add, function(err, result, stopped)
    talk.handle = nil
    local text = answer.text()
    if text ~= "" or result then
      table.insert(talk.messages, answer_message(text, result))
    else
      table.remove(talk.messages) -- so that the next question does not follow an unanswered one
    end
    if stopped then
      answer.finish("stopped", false)
    elseif err then
      answer.finish(errors.line(err), true)
      errors.notify(err)
    else
      answer.finish(summary(result), false)
    end
  end, talk.buf)
end

---@class ai_sidecar.Question
---@field text string
---@field excerpt? ai_sidecar.Excerpt

---@param talk? ai_sidecar.Conversation nil: a new one
---@param question ai_sidecar.Question
local function ask(talk, question)
  if talk and talk.handle then
    return vim.notify("ai-sidecar: it is still answering (:AiStop stops it)", vim.log.levels.WARN)
  end
  client.ensure(function(running)
    if not running then
      return
    end
    local content, given = question.text, question.excerpt
    if given then
      content = ("%s\n\n%s:\n%s"):format(content, given.title, given.block)
    end
    talk = talk and api.nvim_buf_is_loaded(talk.buf) and talk or new()
    show(talk.buf)
    latest = talk
    page.question(talk.buf, question.text, given)
    table.insert(talk.messages, { role = "user", content = content })
    send(talk, running)
  end)
end

--- Ask what to ask.
---@param talk? ai_sidecar.Conversation nil: a new one
---@param given? ai_sidecar.Excerpt
function M.prompt(talk, given)
  vim.ui.input({ prompt = "Ask: " }, function(text)
    if text and vim.trim(text) ~= "" then
      ask(talk, { text = text, excerpt = given })
    end
  end)
end

--- :Ai
---@param args vim.api.keyset.create_user_command.command_args
function M.command(args)
  local given = args.range > 0 and excerpt(args.line1, args.line2) or nil
  local talk = not args.bang and present() or nil
  if vim.trim(args.args) == "" then
    return M.prompt(talk, given)
  end
  ask(talk, { text = args.args, excerpt = given })
end

return M
