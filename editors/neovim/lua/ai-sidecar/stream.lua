--- Requests that take a while: their progress values, stopping them, and their one end.
---
--- Neovim never calls a request's callback for a cancelled one (-32800), nor when the program ends:
--- whoever began it is told here in every case, exactly once.
local M = {}

---@class ai_sidecar.Error
---@field code? integer
---@field message string
---@field data? table

---@class ai_sidecar.Handle
---@field client integer
---@field owner integer? the buffer it is for
---@field running boolean
---@field stop fun()

local PREFIX = "ai-sidecar-"
local count = 0
local handles = {} ---@type ai_sidecar.Handle[] the newest last
local readers = {} ---@type table<string, fun(value: table)>
local ends = {} ---@type table<ai_sidecar.Handle, fun(err?: ai_sidecar.Error, result?: any, stopped: boolean)>

---@param handle ai_sidecar.Handle
---@param err? ai_sidecar.Error
---@param result? any
---@param stopped boolean
local function finish(handle, err, result, stopped)
  local done = ends[handle]
  if not done then
    return
  end
  ends[handle], handle.running = nil, false
  for index, other in ipairs(handles) do
    if other == handle then
      table.remove(handles, index)
      break
    end
  end
  done(err, result, stopped)
end

--- Send a request that `M.stop` can stop.
---@param client vim.lsp.Client
---@param method string
---@param params table
---@param done fun(err?: ai_sidecar.Error, result?: any, stopped: boolean)
---@param owner? integer
---@return ai_sidecar.Handle
function M.request(client, method, params, done, owner)
  local handle = { client = client.id, owner = owner, running = true } ---@type ai_sidecar.Handle
  handles[#handles + 1], ends[handle] = handle, done
  local ok, id = client:request(method, params, function(err, result)
    finish(handle, err, result, false)
  end, owner)
  function handle.stop()
    if handle.running then
      if id then
        client:cancel_request(id)
      end
      finish(handle, nil, nil, true)
    end
  end
  if not ok then
    finish(handle, { message = "the program has ended" }, nil, false)
  end
  return handle
end

--- Ask for a streamed answer. Nothing comes to `on_value` after the end.
---@param client vim.lsp.Client
---@param params table CompletionParams
---@param on_value fun(value: table)
---@param done fun(err?: ai_sidecar.Error, result?: any, stopped: boolean)
---@param owner? integer
---@return ai_sidecar.Handle
function M.start(client, params, on_value, done, owner)
  count = count + 1
  local token = PREFIX .. count
  readers[token] = on_value
  params.partialResultToken = token
  return M.request(client, "ai/stream", params, function(...)
    readers[token] = nil
    done(...)
  end, owner)
end

--- Hand a progress value to whom it is for.
---@param params { token: string|integer, value: table }
---@return boolean # whether it was one of ours; a late one of a stopped stream is, too
function M.progress(params)
  local token = params.token
  if type(token) ~= "string" or not vim.startswith(token, PREFIX) then
    return false
  end
  local reader = readers[token]
  if reader then
    reader(params.value)
  end
  return true
end

--- Return what runs for a buffer, or at all.
---@param owner? integer
---@return ai_sidecar.Handle[]
function M.running(owner)
  return vim
    .iter(handles)
    :filter(function(handle)
      return owner == nil or handle.owner == owner
    end)
    :totable()
end

--- Stop what runs for the current buffer; if nothing does, everything.
---@return integer # how many were stopped
function M.stop()
  local mine = M.running(vim.api.nvim_get_current_buf())
  if #mine == 0 then
    mine = M.running()
  end
  if #mine == 0 then
    vim.notify("ai-sidecar: nothing to stop")
  end
  for _, handle in ipairs(mine) do
    handle.stop()
  end
  return #mine
end

--- End what waits for a program that has ended.
---@param client integer
function M.gone(client)
  for _, handle in ipairs(M.running()) do
    if handle.client == client then
      finish(handle, { message = "the program has ended" }, nil, false)
    end
  end
end

return M
