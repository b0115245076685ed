--- A failure in one line: what happened, and what to do.
local M = {}

---@param data table
---@return string
local function wait(data)
  local ms = data.retryAfterMs
  return ms and ("try again in %d s"):format(math.ceil(ms / 1000)) or "try again later"
end

local CHECK = ":checkhealth ai-sidecar shows where each key comes from"
local OTHER = ":AiModel chooses another model"

--- By `data.kind` of the wire contract.
---@type table<string, string|fun(data: table): string>
local ADVICE = {
  authentication = "the key was refused; " .. CHECK,
  permission = "the key may not do this; " .. OTHER,
  quota = "what was paid for is used up; " .. OTHER,
  rateLimit = wait,
  overloaded = wait,
  contextLength = "too long for this model: ask about fewer lines, or " .. OTHER,
  contentFilter = "the service's filter said no",
  modelNotFound = OTHER,
  providerNotFound = OTHER,
  notConfigured = "nothing is configured for it; " .. CHECK,
  network = "the service could not be reached: check the network, and the proxy (`http.proxy`)",
  timeout = wait,
  malformedStream = "the service broke its own format; try again",
  truncatedStream = "the answer was cut off; try again",
  circuitOpen = "it failed several times in a row; " .. wait({}),
  budgetExceeded = "the budget is spent (`budget` in the configuration)",
  server = wait,
}

--- Return one line for an error of the program.
---@param err ai_sidecar.Error
---@return string
function M.line(err)
  local data = type(err.data) == "table" and err.data or {}
  local message = vim.trim((err.message or "it failed"):gsub("%s+", " "))
  local who = data.provider and (data.provider .. ": ") or ""
  if vim.startswith(message, who) then
    who = ""
  end
  local advice = ADVICE[data.kind]
  if type(advice) == "function" then
    advice = advice(data)
  end
  local text = who .. message
  return advice and ("%s (%s)"):format(text, advice) or text
end

--- Show it.
---@param err ai_sidecar.Error
function M.notify(err)
  vim.notify("ai-sidecar: " .. M.line(err), vim.log.levels.ERROR)
end

return M
