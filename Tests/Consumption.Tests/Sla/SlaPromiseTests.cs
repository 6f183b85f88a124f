using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Sla;
using LlmMarketplace.Consumption.Tests.Metering;
using LlmMarketplace.Publishing.Contracts;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Sla;

/// <summary>What a call tells of its provider, and when a promise is kept.</summary>
public sealed class SlaPromiseTests
{
    private static readonly ServiceLevel Promised = new(99.9m, 1_000, 60_000, SupportLevel.Basic);

    [Theory]
    [InlineData(1_000, true, "Major")]
    [InlineData(1_000.001, false, "Major")]
    [InlineData(2_000, false, "Major")]
    [InlineData(2_000.001, false, "Critical")]
    public void A_call_that_took_longer_breaks_the_promise_and_one_that_took_twice_as_long_is_critical(double worst, bool isKept, string severity)
    {
        var latency = SlaPromise.Of(Promised, 0.1m, (1, 0, worst), default).First();

        Assert.Equal((SlaMetric.Latency, isKept, severity), (latency.Metric, latency.IsKept, latency.Severity.ToString()));
    }

    [Theory]
    [InlineData(1_000, 1, true)]
    [InlineData(999, 1, false)]
    public void One_call_of_a_thousand_may_fail_within_the_window(long calls, long failures, bool isKept)
    {
        var rate = Assert.Single(SlaPromise.Of(Promised, 0.1m, (calls, failures, 0), default));

        Assert.Equal((SlaMetric.ErrorRate, isKept), (rate.Metric, rate.IsKept));
    }

    [Theory]
    [InlineData(1_000, 1, true)]
    [InlineData(999, 1, false)]
    public void Availability_is_the_share_of_the_months_calls_that_did_not_fail(long calls, long failures, bool isKept)
    {
        var availability = Assert.Single(SlaPromise.Of(Promised, 0.1m, default, (calls, failures)));

        Assert.Equal((SlaMetric.Availability, isKept), (availability.Metric, availability.IsKept));
    }

    [Theory]
    [InlineData(RequestOutcome.Completed, 200, 200, null, true, false)]
    [InlineData(RequestOutcome.RefusedByProvider, 400, 400, null, true, false)]
    [InlineData(RequestOutcome.RefusedByProvider, 429, 429, null, false, false)] // It had no room.
    [InlineData(RequestOutcome.Failed, 503, 503, null, true, true)]
    [InlineData(RequestOutcome.Failed, 503, null, "connect", true, true)]
    [InlineData(RequestOutcome.Failed, 504, null, "timeout", true, true)]
    [InlineData(RequestOutcome.Failed, 502, 401, null, true, true)]
    [InlineData(RequestOutcome.Failed, 502, 200, null, true, true)] // Its answer was none.
    [InlineData(RequestOutcome.Failed, 503, 200, null, false, false)] // We were fenced.
    [InlineData(RequestOutcome.Failed, 0, null, "left", false, false)]
    [InlineData(RequestOutcome.Failed, 0, null, "left-unsent", false, false)]
    [InlineData(RequestOutcome.Cut, 200, 200, "cut", true, true)]
    [InlineData(RequestOutcome.Cut, 200, 200, "error-event", true, true)]
    [InlineData(RequestOutcome.Cut, 200, 200, null, false, false)] // Its key was revoked with it.
    [InlineData(RequestOutcome.Abandoned, 0, 200, null, false, false)]
    [InlineData(RequestOutcome.Lost, 0, null, null, false, false)]
    public void A_call_tells_of_its_provider_what_the_provider_did(RequestOutcome outcome, int told, int? answered, string? error, bool counts, bool failed)
    {
        var record = Calls.Record(Guid.CreateVersion7(), Guid.CreateVersion7(), outcome, told, [new Attempt(answered, error, 1)]);

        var call = SlaCall.Of(record);

        Assert.Equal((counts, failed), (call.Counts, call.Failed));
    }

    [Fact]
    public void A_call_that_the_cache_answered_tells_nothing_of_its_provider() =>
        Assert.False(SlaCall.Of(Records.Of(Records.Admission(Guid.CreateVersion7(), Guid.CreateVersion7()), fromCache: true)).Counts);

    [Fact]
    public void A_stream_is_timed_to_its_first_byte_and_a_whole_answer_to_its_last()
    {
        var stream = Calls.Record(Guid.CreateVersion7(), Guid.CreateVersion7(), RequestOutcome.Completed, 200, [new Attempt(200, null, 1)], latencyMs: 900, firstByteMs: 40, streamed: true);
        var whole = Calls.Record(Guid.CreateVersion7(), Guid.CreateVersion7(), RequestOutcome.Completed, 200, [new Attempt(200, null, 1)], latencyMs: 900, firstByteMs: 40);

        Assert.Equal((40, 900), (SlaCall.Of(stream).Ms, SlaCall.Of(whole).Ms));
    }
}

/// <summary>Records of calls that have just ended.</summary>
internal static class Calls
{
    public static UsageRecord Record(
        Guid listing, Guid version, RequestOutcome outcome, int status, IReadOnlyList<Attempt> attempts, double latencyMs = 10, double? firstByteMs = null, bool streamed = false, DateTimeOffset? settledAt = null)
    {
        var plain = Records.Of(Records.Admission(Guid.CreateVersion7(), Guid.CreateVersion7()));
        return new UsageRecord
        {
            RequestId = plain.RequestId, OrganisationId = plain.OrganisationId, KeyId = plain.KeyId, ListingId = listing, VersionId = version, ProviderOrganisationId = plain.ProviderOrganisationId,
            Service = plain.Service, Operation = plain.Operation, Outcome = outcome, StatusCode = status, InputTokens = 0, CachedInputTokens = 0, OutputTokens = 0, UsageCounted = false, Cost = 0, Currency = "USD",
            Nanos = 0, Streamed = streamed, AdmittedAt = plain.AdmittedAt, SettledAt = settledAt ?? DateTimeOffset.UtcNow, LatencyMs = latencyMs, FirstByteMs = firstByteMs, Day = plain.Day, Attempts = attempts,
        };
    }
}
