-- Requests with the cookies of a file, and their figures on one line.
local file, path
local cookies = {}

function init(args)
    file, path = args[1], args[2]
    for line in io.lines(file) do
        cookies[#cookies + 1] = line
    end
    math.randomseed(tonumber(tostring({}):match("0x(%x+)"), 16) % 2147483647)
end

function request()
    return wrk.format("GET", path, { Cookie = cookies[math.random(#cookies)] })
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        "figures %d %d %d %d %d\n",
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout
    ))
end
