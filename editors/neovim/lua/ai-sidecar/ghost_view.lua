--- How ghost text is drawn: one extmark at the cursor. Decides nothing.
local api = vim.api
local M = {}

M.NS = api.nvim_create_namespace("ai-sidecar.ghost")

--- Return `text` with its tabs as wide as they will be.
---@param text string
---@param column integer where it begins on the screen
---@param width integer of a tab
---@return string
local function expanded(text, column, width)
  local parts = {} ---@type string[]
  for piece, tab in text:gmatch("([^\t]*)(\t?)") do
    column = column + vim.fn.strdisplaywidth(piece, column)
    parts[#parts + 1] = piece
    if tab ~= "" then
      local blank = width - column % width
      parts[#parts + 1] = (" "):rep(blank)
      column = column + blank
    end
  end
  return table.concat(parts)
end

--- Draw what is left of it at the cursor.
---@param ghost ai_sidecar.Ghost
---@param row integer
---@param col integer
function M.draw(ghost, row, col)
  local tab = vim.bo[ghost.buf].tabstop
  local line = api.nvim_buf_get_lines(ghost.buf, row, row + 1, true)[1]
  local lines = vim.split(ghost.text:sub(ghost.typed + 1), "\n")
  local first = expanded(lines[1], vim.fn.strdisplaywidth(line:sub(1, col)), tab)
  local below = {} ---@type [string, string][][]
  for index = 2, #lines do
    below[#below + 1] = { { expanded(lines[index], 0, tab), "AiSidecarGhost" } }
  end
  local rest = line:sub(col + ghost.tail + 1)
  ---@type vim.api.keyset.set_extmark
  local mark = { id = 1, virt_text_pos = "inline", hl_mode = "combine", virt_lines = below }
  if (#below > 0 or ghost.tail > 0) and line:sub(col + 1):find("%S") then
    -- What follows in the line moves behind the text: cover it here, and show it there.
    local hidden = vim.fn.strdisplaywidth(line:sub(col + 1)) - vim.fn.strdisplaywidth(first)
    mark.virt_text_pos = "overlay"
    if #below > 0 then
      table.insert(below[#below], { rest, "Normal" })
      mark.virt_text = { { first, "AiSidecarGhost" }, { (" "):rep(math.max(0, hidden)), "Normal" } }
    else
      mark.virt_text = { { first, "AiSidecarGhost" }, { rest .. (" "):rep(math.max(0, hidden)), "Normal" } }
    end
  elseif first ~= "" then
    mark.virt_text = { { first, "AiSidecarGhost" } }
  end
  api.nvim_buf_set_extmark(ghost.buf, M.NS, row, col, mark)
  ghost.tick = api.nvim_buf_get_changedtick(ghost.buf)
end

return M
