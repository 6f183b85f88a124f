namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>One logged call. What was asked and answered is redacted, and encrypted.</summary>
internal sealed class CallLogRow
{
    public required Guid OrganisationId { get; init; }

    /// <summary>The call's <c>x-request-id</c>.</summary>
    public required Guid CallId { get; init; }

    /// <summary>The API key.</summary>
    public required Guid KeyId { get; init; }

    /// <summary><c>provider/service</c>.</summary>
    public required string Service { get; init; }

    public required string Operation { get; init; }

    public required string Outcome { get; init; }

    public required int StatusCode { get; init; }

    public string? EndUser { get; init; }

    /// <summary>Which key encrypted it.</summary>
    public required string SealedBy { get; init; }

    /// <summary><see cref="LoggedBodies"/>, by <see cref="Idempotency.AnswerProtector"/>.</summary>
    public required byte[] Sealed { get; init; }

    /// <summary>Its length.</summary>
    public required int Bytes { get; init; }

    public required DateTimeOffset AdmittedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>A request or an answer as it is kept.</summary>
/// <param name="ContentType">Its media type, or null when it had none.</param>
/// <param name="Bytes">How long it was before it was redacted; null when that is not known.</param>
/// <param name="IsCut">Whether <paramref name="Body"/> is not all of it.</param>
/// <param name="Body">The redacted text; null when it was too long to be read.</param>
internal sealed record LoggedBody(string? ContentType, long? Bytes, bool IsCut, string? Body);

/// <summary>What is encrypted of a logged call.</summary>
/// <param name="Request">What was asked; null when the call had no body.</param>
/// <param name="Answer">What was answered; null when nothing came.</param>
internal sealed record LoggedBodies(LoggedBody? Request, LoggedBody? Answer);
