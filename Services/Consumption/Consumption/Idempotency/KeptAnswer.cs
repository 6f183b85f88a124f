namespace LlmMarketplace.Consumption.Idempotency;

/// <summary>A complete answer to a call with an idempotency key, as it is kept. What it says is encrypted.</summary>
internal sealed class KeptAnswer
{
    public required Guid OrganisationId { get; init; }

    /// <summary><see cref="Idempotency.Claim.Key"/>.</summary>
    public required string Claim { get; init; }

    /// <summary><see cref="Idempotency.Claim.Body"/>.</summary>
    public required string Body { get; init; }

    /// <summary>The call, which has the usage record.</summary>
    public required Guid CallId { get; init; }

    /// <summary>Which key encrypted the answer; null without answer.</summary>
    public string? KeyId { get; init; }

    /// <summary><see cref="AnswerProtector"/>'s; null: too large to keep, or given up for newer ones.</summary>
    public byte[]? Answer { get; init; }

    /// <summary>Its length.</summary>
    public required int Bytes { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}
