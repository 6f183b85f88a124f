using System.Text.Json.Serialization;

namespace LlmMarketplace.Consumption.Contracts;

/// <summary>Events that Consumption publishes.</summary>
public static class ConsumptionEvents
{
    /// <summary>The service that owns the topics.</summary>
    public const string Producer = "consumption";

    /// <summary>Topic, keyed by request id.</summary>
    public const string Requests = "marketplace.requests";

    /// <summary>Type of <see cref="Contracts.RequestSettled"/>.</summary>
    public const string RequestSettled = "marketplace.request.settled.v1";

    /// <summary>Type of <see cref="Contracts.RequestCorrected"/>.</summary>
    public const string RequestCorrected = "marketplace.request.corrected.v1";

    /// <summary>Topic of what calls come to over time, keyed by organisation id.</summary>
    public const string Usage = "marketplace.usage";

    /// <summary>Type of <see cref="Contracts.BudgetThresholdReached"/>.</summary>
    public const string BudgetThresholdReached = "marketplace.budget.threshold_reached.v1";

    /// <summary>Type of <see cref="Contracts.SlaViolationChanged"/>; keyed by the provider's organisation id.</summary>
    public const string SlaViolationChanged = "marketplace.sla.violation_changed.v1";
}

/// <summary>An admitted call came to its end: the one usage record of that call.</summary>
/// <param name="RequestId">The call's id, UUID v7; the <c>x-request-id</c> that the caller was given.</param>
/// <param name="OrganisationId">Who pays.</param>
/// <param name="KeyId">By which key.</param>
/// <param name="ListingId">For which listing.</param>
/// <param name="VersionId">And which of its versions.</param>
/// <param name="ProviderOrganisationId">Who provided it.</param>
/// <param name="Operation">The surface: <c>chat.completions</c>, <c>embeddings</c> …</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="StatusCode">HTTP status that the caller got; 0 when nobody was left to get one.</param>
/// <param name="InputTokens">Tokens in, cached ones included.</param>
/// <param name="CachedInputTokens">Of these, billed at the cached rate.</param>
/// <param name="OutputTokens">Tokens out.</param>
/// <param name="UsageCounted">True when the tokens were counted by us, false when the provider reported them.</param>
/// <param name="Cost">Exact price in <paramref name="Currency"/>.</param>
/// <param name="Currency">ISO 4217 code.</param>
/// <param name="Streamed">Whether the answer was streamed.</param>
/// <param name="AdmittedAt">When it was admitted.</param>
/// <param name="SettledAt">When it ended.</param>
/// <param name="LatencyMs">Milliseconds from admission to the last byte.</param>
/// <param name="FirstByteMs">Milliseconds from admission to the provider's first byte; null when none came.</param>
/// <param name="Model">What was called: <c>provider/service@version</c>; null in events that are older than this member.</param>
/// <param name="EndUser">Whom the call was made for, as its caller said; null when it did not. Personal data.</param>
/// <param name="Tags">Names and values that its caller gave it; null in events that are older than this member.</param>
/// <param name="FromCache">Whether the caller's response cache answered: the provider was not asked, and nothing is charged; false in events that are older than this member.</param>
/// <param name="ExceededReservation">Whether it came to more, in money or tokens, than was reserved for it: charged in full all the same; false in events that are older than this member.</param>
public sealed record RequestSettled(
    Guid RequestId,
    Guid OrganisationId,
    Guid KeyId,
    Guid ListingId,
    Guid VersionId,
    Guid ProviderOrganisationId,
    string Operation,
    RequestOutcome Outcome,
    int StatusCode,
    long InputTokens,
    long CachedInputTokens,
    long OutputTokens,
    bool UsageCounted,
    decimal Cost,
    string Currency,
    bool Streamed,
    DateTimeOffset AdmittedAt,
    DateTimeOffset SettledAt,
    double LatencyMs,
    double? FirstByteMs,
    string? Model = null,
    string? EndUser = null,
    IReadOnlyDictionary<string, string>? Tags = null,
    bool FromCache = false,
    bool ExceededReservation = false);

/// <summary>
/// The outcome of a call became known after it had been settled as <see cref="RequestOutcome.Lost"/>: its record is replaced. Sums take <paramref name="Record"/> and give back what
/// was told before.
/// </summary>
/// <param name="Revision">Of the record: 2 or more.</param>
/// <param name="PreviousOutcome">What the record said before.</param>
/// <param name="PreviousInputTokens">Tokens in, as told before.</param>
/// <param name="PreviousOutputTokens">Tokens out, as told before.</param>
/// <param name="PreviousCost">Price, as told before, in the same currency.</param>
/// <param name="Record">The record as it stands now.</param>
public sealed record RequestCorrected(
    int Revision, RequestOutcome PreviousOutcome, long PreviousInputTokens, long PreviousOutputTokens, decimal PreviousCost, RequestSettled Record);

/// <summary>How an admitted call ended; decides who is charged.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RequestOutcome>))]
public enum RequestOutcome
{
    /// <summary>Whole answer delivered; charged.</summary>
    [JsonStringEnumMemberName("completed")] Completed,

    /// <summary>The provider could not be reached or failed; not charged.</summary>
    [JsonStringEnumMemberName("failed")] Failed,

    /// <summary>The provider refused the call (a 4xx of its own); not charged.</summary>
    [JsonStringEnumMemberName("refused-by-provider")] RefusedByProvider,

    /// <summary>The provider broke off a stream; charged for what was delivered.</summary>
    [JsonStringEnumMemberName("cut")] Cut,

    /// <summary>The caller left; charged for what was produced.</summary>
    [JsonStringEnumMemberName("abandoned")] Abandoned,

    /// <summary>We died before the outcome was known; not charged.</summary>
    [JsonStringEnumMemberName("lost")] Lost,
}
