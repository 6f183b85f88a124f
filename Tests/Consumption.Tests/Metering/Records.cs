using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;

namespace LlmMarketplace.Consumption.Tests.Metering;

/// <summary>Records as calls leave them.</summary>
internal static class Records
{
    public static UsageRecord Of(AdmissionRow admission, RequestOutcome outcome = RequestOutcome.Completed, long output = 0, decimal cost = 0, string? told = null, bool fromCache = false, bool exceeded = false) => new()
    {
        RequestId = admission.RequestId, OrganisationId = admission.OrganisationId, KeyId = admission.KeyId, ListingId = admission.ListingId, VersionId = admission.VersionId,
        ProviderOrganisationId = admission.ProviderOrganisationId, Service = admission.Service, Operation = admission.Operation, Outcome = outcome, StatusCode = 200, InputTokens = 3,
        CachedInputTokens = 1, OutputTokens = output, UsageCounted = false, Cost = cost, Currency = admission.Currency, Nanos = Consumption.Pricing.Price.Nanos(cost), Streamed = admission.Streamed,
        AdmittedAt = admission.AdmittedAt, SettledAt = admission.AdmittedAt.AddSeconds(1), LatencyMs = 1_000.5, FirstByteMs = null, Day = admission.Day, ProviderUsage = told, ServiceVersion = admission.ServiceVersion, EndUser = admission.EndUser, Tags = admission.Tags, FromCache = fromCache, ExceededReservation = exceeded,
        Attempts = [new Attempt(503, null, 1.5), new Attempt(null, "connect", 0.25), new Attempt(200, null, 3, "second", "backup")],
    };

    public static AdmissionRow Admission(Guid organisation, Guid instance) => new()
    {
        RequestId = Guid.CreateVersion7(), InstanceId = instance, OrganisationId = organisation, Generation = 0, KeyId = Guid.CreateVersion7(), ListingId = Guid.CreateVersion7(),
        VersionId = Guid.CreateVersion7(), ProviderOrganisationId = Guid.CreateVersion7(), Service = "acme/größe", Operation = "chat.completions", Streamed = true,
        AdmittedAt = new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero), Day = 20260301, ReservedTokens = 100, ReservedNanos = 5_000, Currency = "USD", MicrosecondsPerToken = 0.125,
        ServiceVersion = "1.2.0", EndUser = "zoë@example.org", Tags = new Dictionary<string, string> { ["team"] = "sökning", ["stage"] = "test" },
    };
}
