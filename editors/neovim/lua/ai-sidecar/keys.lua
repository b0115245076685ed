--- Mappings that stand before a buffer's own for a while, and leave them as they were.
local M = {}

---@class ai_sidecar.Key
---@field lhs string
---@field rhs string|fun()
---@field desc string

--- Set `keys` in `buf`. Return what takes them away again.
---@param buf integer
---@param mode string
---@param keys ai_sidecar.Key[]
---@return fun()
function M.over(buf, mode, keys)
  local former = {} ---@type table<string, table>
  for _, key in ipairs(keys) do
    former[key.lhs] = vim.api.nvim_buf_call(buf, function()
      return vim.fn.maparg(key.lhs, mode, false, true)
    end)
    vim.keymap.set(mode, key.lhs, key.rhs, { buffer = buf, nowait = true, desc = "ai-sidecar: " .. key.desc })
  end
  return function()
    if not vim.api.nvim_buf_is_valid(buf) then
      return
    end
    for lhs, before in pairs(former) do
      pcall(vim.keymap.del, mode, lhs, { buffer = buf })
      if before.buffer == 1 then
        vim.api.nvim_buf_call(buf, function()
          vim.fn.mapset(before)
        end)
      end
    end
  end
end

return M
