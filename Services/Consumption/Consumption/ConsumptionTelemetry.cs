using System.Diagnostics;
using System.Diagnostics.Metrics;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Metering;

namespace LlmMarketplace.Consumption;

/// <summary>Traces and metrics of calls. Bodies never appear in them.</summary>
internal sealed class ConsumptionTelemetry : IDisposable
{
    public const string Name = "LlmMarketplace.Consumption";

    private readonly ActivitySource source = new(Name);
    private readonly Meter meter;
    private readonly Histogram<double> duration;
    private readonly Histogram<long> tokens;
    private readonly Counter<long> refusals;
    private readonly Counter<long> outcomes;
    private readonly Counter<long> exceeded;
    private readonly Counter<long> openly;
    private readonly Counter<long> replays;
    private readonly Counter<long> cached;
    private readonly Counter<long> cacheDrops;
    private readonly Counter<long> callLogDrops;

    public ConsumptionTelemetry(IMeterFactory meters)
    {
        meter = meters.Create(Name);
        duration = meter.CreateHistogram<double>(GenAi.OperationDuration, "s", "Duration of forwarded calls.");
        tokens = meter.CreateHistogram<long>(GenAi.TokenUsage, "{token}", "Tokens of forwarded calls.");
        refusals = meter.CreateCounter<long>("marketplace.calls.refused", "{call}", "Calls refused before admission.");
        openly = meter.CreateCounter<long>("marketplace.calls.admitted_openly", "{call}", "Calls that an instance admitted by itself while Redis was away.");
        outcomes = meter.CreateCounter<long>("marketplace.calls.settled", "{call}", "Admitted calls by outcome.");
        exceeded = meter.CreateCounter<long>("marketplace.calls.exceeded_reservation", "{call}", "Calls that came to more, in money or tokens, than was reserved for them.");
        replays = meter.CreateCounter<long>("marketplace.calls.replayed", "{call}", "Calls that were answered by what their idempotency key had kept: neither admitted nor charged.");
        cached = meter.CreateCounter<long>("marketplace.cache.lookups", "{call}", "Calls of organisations with a response cache: hit, miss or bypass.");
        cacheDrops = meter.CreateCounter<long>("marketplace.cache.dropped", "{answer}", "Answers that were to be cached and were not: too many waited, or PostgreSQL was away.");
        callLogDrops = meter.CreateCounter<long>("marketplace.call_logs.dropped", "{call}", "Calls that were to be logged and were not: too many waited, or PostgreSQL was away.");
    }

    public Activity? Start(Surface surface)
    {
        var activity = source.StartActivity(surface.GenAiOperation, ActivityKind.Client);
        activity?.SetTag(GenAi.Operation, surface.GenAiOperation);
        return activity;
    }

    public void Refused(Activity? activity, CallRefusal refusal)
    {
        var code = CallErrors.Of(refusal.Failure).Code;
        refusals.Add(1, new KeyValuePair<string, object?>(GenAi.ErrorType, code));
        activity?.SetTag(GenAi.ErrorType, code).SetStatus(ActivityStatusCode.Error, code);
    }

    public void AdmittedOpenly() => openly.Add(1);

    public void Replayed(Activity? activity, Surface surface)
    {
        replays.Add(1, new KeyValuePair<string, object?>(GenAi.Operation, surface.GenAiOperation));
        activity?.SetTag("marketplace.replayed", true);
    }

    /// <param name="activity">The call's.</param>
    /// <param name="surface">Where it came.</param>
    /// <param name="result"><c>hit</c>, <c>miss</c> or <c>bypass</c>.</param>
    public void Cached(Activity? activity, Surface surface, string result)
    {
        cached.Add(1, new(GenAi.Operation, surface.GenAiOperation), new("marketplace.cache", result));
        activity?.SetTag("marketplace.cache", result);
    }

    public void CallLogDropped() => callLogDrops.Add(1);

    public void CacheDropped() => cacheDrops.Add(1);

    public void Settled(Activity? activity, UsageRecord record, string operation)
    {
        var outcome = record.Outcome.ToString().ToLowerInvariant();
        TagList tags = new() { { GenAi.Operation, operation }, { GenAi.RequestModel, record.Service }, { "marketplace.outcome", outcome } };
        outcomes.Add(1, tags);
        if (record.ExceededReservation)
        {
            exceeded.Add(1, tags);
        }

        if (!record.FromCache)
        {
            duration.Record(record.LatencyMs / 1000, tags);
            tokens.Record(record.InputTokens, [.. tags, new(GenAi.TokenType, "input")]);
            tokens.Record(record.OutputTokens, [.. tags, new(GenAi.TokenType, "output")]);
        }

        activity?
            .SetTag(GenAi.RequestModel, record.Service)
            .SetTag(GenAi.InputTokens, record.InputTokens)
            .SetTag(GenAi.OutputTokens, record.OutputTokens)
            .SetTag("marketplace.outcome", outcome);
    }

    public void Dispose()
    {
        source.Dispose();
        meter.Dispose();
    }
}

/// <summary>Names of OpenTelemetry's semantic conventions for generative AI. They are not stable yet: they stand here and nowhere else.</summary>
internal static class GenAi
{
    public const string Operation = "gen_ai.operation.name";
    public const string RequestModel = "gen_ai.request.model";
    public const string InputTokens = "gen_ai.usage.input_tokens";
    public const string OutputTokens = "gen_ai.usage.output_tokens";
    public const string TokenType = "gen_ai.token.type";
    public const string OperationDuration = "gen_ai.client.operation.duration";
    public const string TokenUsage = "gen_ai.client.token.usage";
    public const string ErrorType = "error.type";
}
