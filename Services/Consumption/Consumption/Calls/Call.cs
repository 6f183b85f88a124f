using System.Diagnostics;
using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Pricing;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>One call on its way; each step fills in what the next ones need.</summary>
internal sealed class Call(HttpContext http, Surface surface, Guid id, long startedAt)
{
    public HttpContext Http { get; } = http;

    public Surface Surface { get; } = surface;

    /// <summary>Also its <c>x-request-id</c>.</summary>
    public Guid Id { get; } = id;

    /// <summary>Timestamp of <see cref="TimeProvider"/>.</summary>
    public long StartedAt { get; } = startedAt;

    public Activity? Activity { get; set; }

    // 1 key
    public Key? Key { get; set; }

    public Organisation? Organisation { get; set; }

    // 2 body
    public RequestBody? Body { get; set; }

    public CallRequest? Request { get; set; }

    // 3 plan
    public CallPlan? Plan { get; set; }

    // 4 admission
    public LimitAnswer? Limits { get; set; }

    public AdmissionRow? Admission { get; set; }

    // 5 forwarding
    public List<Attempt> Attempts { get; } = [];

    public double? FirstByteMs { get; set; }

    public bool Settled { get; set; }

    public CancellationToken Left => Http.RequestAborted;
}

/// <summary>What is called, for which price and bounds.</summary>
internal sealed record CallPlan(ListedVersion Version, Price Price, string? Credential, (string Field, long Value)? Cap, long InputBound, long OutputBound, long ReservedNanos)
{
    public long ReservedTokens => InputBound + OutputBound;
}

/// <summary>How an admitted call ended.</summary>
/// <param name="Outcome">The outcome.</param>
/// <param name="Status">HTTP status for the caller; 0 when nobody is left to get it.</param>
/// <param name="Usage">What is charged.</param>
/// <param name="Counted">Whether we counted it ourselves.</param>
internal readonly record struct CallOutcome(RequestOutcome Outcome, int Status, TokenUsage Usage, bool Counted)
{
    /// <summary>What the provider told of usage, word for word.</summary>
    public string? ProviderUsage { get; init; }

    /// <summary>Nothing delivered, nothing charged.</summary>
    public static CallOutcome NotCharged(RequestOutcome outcome, int status) => new(outcome, status, default, false);
}
