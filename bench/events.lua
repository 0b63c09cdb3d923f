-- For `bench/answers`: wrk reports one event a request. Runs have ten events each, and as many are under way at a time as there
-- are connections. Ends with a line of JSON.
local digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
local at_once, events_a_run = 64, 10
local function base32(number, length)
    local text = {}
    for place = length, 1, -1 do
        local digit = number % 32
        text[place] = digits:sub(digit + 1, digit + 1)
        number = (number - digit) / 32
    end
    return table.concat(text)
end

function init()
    n = 0
    at = os.date("!%Y-%m-%dT%H:%M:%SZ")
    -- An id of a run is a ULID, which begins with milliseconds since 1970.
    prefix = base32(os.time() * 1000, 10)
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["Host"] = "localhost"
end

function request()
    local step = math.floor(n / at_once) % events_a_run
    local run = n % at_once + math.floor(n / (at_once * events_a_run)) * at_once
    n = n + 1
    local what
    if step == 0 then
        what = '"type":"started","data":{"workflow":"measured"}'
    elseif step == events_a_run - 1 then
        what = '"type":"finished","data":{"outcome":"aligned"}'
    else
        what = '"type":"heartbeat","data":{}'
    end
    local body = '{"schema":"alignwatch.event/1","id":"' .. n .. '","run":"' .. prefix .. base32(run, 16)
        .. '","at":"' .. at .. '",' .. what .. "}"
    return wrk.format(nil, nil, nil, body)
end

function done(summary, latency)
    local format = '\n{"events": %d, "seconds": %.3f, "p99_seconds": %.6f, "refused": %d}\n'
    local errors = summary.errors
    local refused = errors.status + errors.connect + errors.read + errors.write + errors.timeout
    io.write(format:format(summary.requests, summary.duration / 1e6, latency:percentile(99) / 1e6, refused))
end
