namespace LlmMarketplace.Benchmarks.Steps;

/// <summary>A part of what a call costs, told from the functions on the stack.</summary>
/// <param name="Name">For the table.</param>
/// <param name="Functions">Parts of the names of functions, or of files, that belong to it; <c>[X</c> is an assembly.</param>
internal sealed record Step(string Name, params string[] Functions)
{
    // perf writes «type [Assembly] Name (/tmp/perf-1.map)» of what was compiled here, and «[unknown] (/path/Assembly.dll)» of what was compiled before.
    private readonly string[] files = [.. Functions.Where(function => function[0] == '[').Select(function => "/" + function[1..].Replace("]", ".dll", StringComparison.Ordinal))];

    /// <summary>Whether a frame of a stack belongs to it.</summary>
    public bool Knows(string frame) => Functions.Concat(files).Any(part => frame.Contains(part, StringComparison.Ordinal));

    /// <summary>All that runs in processes of its own below the product's.</summary>
    public static Step Postgres { get; } = new("PostgreSQL");

    public static Step Rest { get; } = new("not told apart");

    /// <summary>
    /// In the order in which a frame is asked. A sample belongs to the innermost frame that any of these knows: so the sockets that Redis's client writes to are admission's, and those that
    /// Kestrel writes to are Kestrel's.
    /// </summary>
    public static IReadOnlyList<Step> All { get; } =
    [
        new("compilation", "/libclrjit.so"),
        new("Redis: the server (Garnet) and its scripts", "[Garnet", "[Tsavorite", "[KeraLua", "/liblua"),
        new("admission and settlement, client's side", "LlmMarketplace.Consumption.Limits.", "[StackExchange.Redis]", "[RESPite]", "[Pipelines.Sockets"),
        new("usage log: appended and synced", "Consumption.Metering.UsageLog.", "Consumption.Metering.AdmissionLog", "Consumption.Metering.GroupCommit"),
        new("records shipped to PostgreSQL, leases, open calls", "LlmMarketplace.Consumption.Metering.", "LlmMarketplace.Consumption.Sla.", "LlmMarketplace.Consumption.Budgets."),
        new("events: relay and consumers", "LlmMarketplace.Messaging."),
        new("PostgreSQL's client, for whom it is not told", "[Npgsql", "[Microsoft.EntityFrameworkCore"),
        new("telemetry", "[OpenTelemetry", "System.Diagnostics.Metrics.", "System.Diagnostics.Activity", "ConsumptionTelemetry"),
        new("key, request and plan", "LlmMarketplace.Consumption.Keys.", "Calls.ReadCallRequest", "Calls.RequestBody", "Calls.PlanCall", "LlmMarketplace.Consumption.Catalogue.", "LlmMarketplace.Consumption.Attribution.", "LlmMarketplace.Consumption.Pricing."),
        new("forwarding: HTTP client", "[System.Net.Http]", "Calls.ProviderClient", "Calls.ProviderRequest", "Calls.EditedBody", "Calls.ProveCall", "LlmMarketplace.Consumption.Routing.", "LlmMarketplace.ProviderNetwork."),
        new("answer: relayed, usage read", "Calls.Relay", "Calls.ReadUsage", "Calls.UsageFields", "Calls.Sse", "Calls.WholeAnswer", "Calls.AnswerEnd", "Calls.EndAnswer", "Calls.CallAnswers", "Calls.SettleCall"),
        new("the rest of a call", "LlmMarketplace.Consumption."),
        new("middlewares: ids, tokens, limits, routing", "LlmMarketplace.Gateway.", "LlmMarketplace.ServiceDefaults.", "[Microsoft.AspNetCore.Authentication", "[Microsoft.AspNetCore.Authorization", "[Microsoft.AspNetCore.Routing", "[Microsoft.AspNetCore.RateLimiting", "[Microsoft.AspNetCore.Diagnostics", "[Microsoft.AspNetCore.HttpOverrides", "[Microsoft.AspNetCore.Cors"),
        new("Kestrel", "[Microsoft.AspNetCore.Server.Kestrel", "[Microsoft.AspNetCore.Hosting", "[Microsoft.AspNetCore.Http"),
        new("the other services", "LlmMarketplace.", "[Microsoft.AspNetCore", "[Yarp"),
        new("sockets: waiting for events", "SocketAsyncEngine", "[System.Net.Sockets]"),
        new("threads, timers and the runtime itself, garbage collection too", "ThreadPool", "System.Threading.", "/libcoreclr.so"),
    ];
}
