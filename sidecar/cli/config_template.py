"""The `config.toml` that `ai-sidecar config init` writes: every table, all of it commented out.

A line that begins with `#` and a blank is prose; one that begins with `#` alone is a setting, and
the file with all those enabled is a right configuration (a test enables them).
"""

TEMPLATE = """\
# Configuration of ai-sidecar. `ai-sidecar config check` says what is wrong with it,
# `ai-sidecar doctor` what it comes to. Changes are taken over while the sidecar runs.
# Remove the # in front of what you want to set.

# Which provider answers where a request names none: "provider" or "provider/model".
# Without it: the first provider that is configured, else the embedded local model.
#default = "anthropic/claude-sonnet-4-5"

# --- Providers -----------------------------------------------------------------
# A key in an environment variable that the service's own SDK reads (OPENAI_API_KEY, …) needs no
# table here. A key is given as one of
#   { env = "NAME" }                an environment variable
#   { command = ["op", "read", …] } what a program prints; it may ask in a window, on no terminal
#   { file = "~/path" }             a file that only you can read
#   { keyring = "service/user" }    the system's keychain: `ai-sidecar keys set PROVIDER`
# or, as the last resort, as text.

#[providers.openai]
#apiKey = { env = "OPENAI_API_KEY" }
#model = "gpt-5"

#[providers.anthropic]
#apiKey = { command = ["op", "read", "op://Private/Anthropic/credential"] }
#model = "claude-sonnet-4-5"

#[providers.azure]
#endpoint = "https://NAME.openai.azure.com"
#deployment = "gpt-5"
#apiKey = { keyring = "ai-sidecar/azure" }

#[providers.bedrock]
#region = "eu-central-1"
#profile = "work"

#[providers.vertex]
#project = "my-project"
#location = "europe-west1"

# A server of your own. Any name; `kind` says what it is.
#[providers.my-vllm]
#kind = "openai-compatible"
#baseUrl = "http://127.0.0.1:8000/v1"

# --- Which provider when ---------------------------------------------------------
# A pattern of model names, and who answers for them.
#[[routes]]
#pattern = "claude-*"
#providers = ["anthropic", "bedrock"]
#strategy = "priority"   # round-robin, random, least-connections, weighted, lowest-latency

# Whom to ask when a provider fails before its first word.
#[fallback]
#chain = ["openai/gpt-5", "local"]

#[retry]
#attempts = 3
#maxWaitMs = 20000       # all waits of one request together

# --- Bounds ------------------------------------------------------------------------
#[limits.openai]
#requestsPerMinute = 60
#tokensPerMinute = 100000
#maxConcurrent = 8

#[budget]
#usdPerDay = 5.0
#usdPerSession = 2.0
#warnAt = 0.8

#[timeouts]              # seconds
#connect = 10
#firstByte = 60
#idle = 60               # between two pieces of an answer
#total = 600

# --- Network -------------------------------------------------------------------------
# Without these: the environment's proxy variables, and the system's certificates.
#[http]
#proxy = "http://proxy.example:3128"
#noProxy = ["localhost", ".example"]
#caBundle = "/etc/ssl/certs/company.pem"
#allowPlainHttp = ["build-host.example"]   # a key is else sent over https, or to this machine

# --- Completion while typing -----------------------------------------------------------
#[inline]
#enabled = true
#provider = "mistral"
#model = "codestral-latest"
#mode = "auto"           # fim, chat; auto: as the provider says of its model
#fimTemplate = "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>"   # a raw prompt
#debounceMs = 150
#maxTokens = 128
#languages = { markdown = false }
#ignore = ["**/.env*", "**/*.pem"]   # never completed, never sent

# --- Edits: code actions, and whatever the editor offers as "rewrite" ---------------------
#[actions]
#enabled = true
#provider = "anthropic"
#model = "claude-sonnet-4-5"
#maxTokens = 8192
#contextTokens = 6000    # of the document, around what is edited

# --- Models that the catalog does not know, or knows wrongly ---------------------------
#[models."my-vllm/my-model"]
#contextWindow = 32768
#maxOutputTokens = 4096
#prices = { inputPerMTok = 0.0, outputPerMTok = 0.0 }    # US dollars per million tokens
"""
