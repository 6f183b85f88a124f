namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary>A complete answer as the cache keeps it. What it says is encrypted.</summary>
internal sealed class CachedAnswer
{
    public required Guid OrganisationId { get; init; }

    /// <summary><see cref="ResponseCache.CacheKey"/>, 64 hex digits.</summary>
    public required string CacheKey { get; init; }

    /// <summary>The call that brought it.</summary>
    public required Guid CallId { get; init; }

    /// <summary>Which key encrypted it.</summary>
    public required string KeyId { get; init; }

    /// <summary><see cref="Idempotency.AnswerProtector"/>'s.</summary>
    public required byte[] Answer { get; init; }

    /// <summary>Its length.</summary>
    public required int Bytes { get; init; }

    /// <summary>When the provider had answered, by PostgreSQL's clock.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}
