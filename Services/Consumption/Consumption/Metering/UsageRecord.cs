using LlmMarketplace.Consumption.Contracts;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>The one record of an admitted call.</summary>
internal sealed class UsageRecord
{
    public required Guid RequestId { get; init; }

    public required Guid OrganisationId { get; init; }

    public required Guid KeyId { get; init; }

    public required Guid ListingId { get; init; }

    public required Guid VersionId { get; init; }

    public required Guid ProviderOrganisationId { get; init; }

    /// <summary><c>provider/service</c>.</summary>
    public required string Service { get; init; }

    /// <summary>Which version of it, as SemVer; null in records that are older than this column.</summary>
    public string? ServiceVersion { get; init; }

    public required string Operation { get; init; }

    public required RequestOutcome Outcome { get; init; }

    /// <summary>What the caller got; 0 when nobody was left to get it.</summary>
    public required int StatusCode { get; init; }

    public required long InputTokens { get; init; }

    public required long CachedInputTokens { get; init; }

    public required long OutputTokens { get; init; }

    /// <summary>True: counted by us, a lower bound; false: the provider's figures.</summary>
    public required bool UsageCounted { get; init; }

    public required decimal Cost { get; init; }

    public required string Currency { get; init; }

    /// <summary>The cost as the counters hold it.</summary>
    public required long Nanos { get; init; }

    public required bool Streamed { get; init; }

    public required DateTimeOffset AdmittedAt { get; init; }

    public required DateTimeOffset SettledAt { get; init; }

    public required double LatencyMs { get; init; }

    public required double? FirstByteMs { get; init; }

    /// <summary>UTC day by Redis's clock, yyyymmdd: the period that is charged.</summary>
    public required int Day { get; init; }

    /// <summary>Whom the call was made for, as its caller said: personal data.</summary>
    public string? EndUser { get; init; }

    /// <summary>Names and values that its caller gave it.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = Attribution.Tags.None;

    /// <summary>
    /// What the provider told of usage, word for word: its <c>usage</c> object, or an array of the first and the last where a stream told several; null when it told nothing.
    /// </summary>
    public string? ProviderUsage { get; init; }

    /// <summary>Answered from the organisation's response cache: the provider was not asked, and nothing is charged.</summary>
    public bool FromCache { get; init; }

    /// <summary>It came to more, in money or tokens, than was reserved for it: charged in full all the same, and limits may be overshot by the difference.</summary>
    public bool ExceededReservation { get; init; }

    /// <summary>1 as it was first written; one more for each correction.</summary>
    public int Revision { get; set; } = 1;

    /// <summary>What each attempt to reach the provider came to.</summary>
    public required IReadOnlyList<Attempt> Attempts { get; init; }

    /// <summary><c>provider/service@version</c>.</summary>
    public string Model => ServiceVersion is null ? Service : $"{Service}@{ServiceVersion}";

    public RequestSettled ToEvent() => new(
        RequestId, OrganisationId, KeyId, ListingId, VersionId, ProviderOrganisationId, Operation, Outcome, StatusCode, InputTokens, CachedInputTokens, OutputTokens,
        UsageCounted, Cost, Currency, Streamed, AdmittedAt, SettledAt, LatencyMs, FirstByteMs, Model, EndUser, Tags, FromCache, ExceededReservation);
}

/// <summary>One attempt to reach the provider.</summary>
/// <param name="Status">The provider's HTTP status; null when there was no answer.</param>
/// <param name="Error">
/// Why there was none: <c>connect</c>, <c>connect-timeout</c>, <c>credential</c>, <c>token</c>, <c>forbidden</c>, <c>reset</c>, <c>first-byte-timeout</c>, <c>timeout</c>, <c>left</c>, <c>left-unsent</c>; or, beside a status, why the
/// answer was not whole: <c>cut</c>, <c>idle-timeout</c>, <c>timeout</c>, <c>error-event</c>.
/// </param>
/// <param name="Ms">Milliseconds to the answer's headers, or to the failure.</param>
/// <param name="Endpoint">Which of the version's addresses.</param>
/// <param name="Credential">The name of the provider's credential that was used; null: none, or the record is older than this member.</param>
internal sealed record Attempt(int? Status, string? Error, double Ms, string? Endpoint = null, string? Credential = null)
{
    /// <summary>The provider was not reached.</summary>
    public const string Connect = "connect";

    /// <summary>The same, for it took too long.</summary>
    public const string ConnectTimeout = "connect-timeout";

    /// <summary>The provider's credential proves nothing, so it was not asked.</summary>
    public const string BadCredential = "credential";

    /// <summary>The access token for it could not be fetched, so it was not asked.</summary>
    public const string Token = "token";

    /// <summary>Its caller did not wait for it.</summary>
    public const string Left = "left";

    /// <summary>The same, and while no connection had come about: the provider saw nothing of it.</summary>
    public const string LeftUnsent = "left-unsent";

    /// <summary>The provider ended the stream with an error of its own.</summary>
    public const string ErrorEvent = "error-event";

    /// <summary>Whether anything was sent.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsSent => Error is not (Connect or ConnectTimeout or BadCredential or Token or LeftUnsent);
}
