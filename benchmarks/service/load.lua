-- What wrk sends: the requests of a file, each behind a line with its length, over and over.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  sent = 0
  requests = {}
  local file = assert(io.open(args[1], "rb"))
  while true do
    local length = file:read("*l")
    if not length then break end
    table.insert(requests, file:read(tonumber(length)))
  end
  file:close()
end

function request()
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end

function done(summary, latency)
  local told = summary.errors
  local errors = told.connect + told.read + told.write + told.status + told.timeout
  io.write(string.format(
    '\nJSON {"answers": %d, "sent": %d, "errors": %d, "rate": %.3f, "p50_ms": %.3f, "p95_ms": %.3f}\n',
    summary.requests, threads[1]:get("sent"), errors, summary.requests * 1e6 / summary.duration,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000))
end
