namespace LlmMarketplace.Messaging.DeadLetters;

/// <summary>An event that this service put aside.</summary>
/// <param name="Id">Names it here.</param>
/// <param name="Topic">Where it came from.</param>
/// <param name="EventId">CloudEvents id; null when it could not be read that far.</param>
/// <param name="Type">CloudEvents type, likewise.</param>
/// <param name="Key">Its aggregate, likewise.</param>
/// <param name="AggregateVersion">Its aggregate's version, likewise.</param>
/// <param name="Reason">Why: <c>unreadable</c>, <c>unknown_version</c> or <c>handler_failed</c>.</param>
/// <param name="Error">The last error, for people.</param>
/// <param name="Attempts">How often its handler failed.</param>
/// <param name="State"><c>open</c>, <c>applied</c> or <c>superseded</c>.</param>
/// <param name="DeadAt">When it was put aside.</param>
/// <param name="ClosedAt">When it was applied after all, or found to be superseded.</param>
internal sealed record DeadLetter(
    Guid Id,
    string Topic,
    Guid? EventId,
    string? Type,
    Guid? Key,
    long? AggregateVersion,
    Consuming.DeadReason Reason,
    string Error,
    int Attempts,
    DeadLetterState State,
    DateTimeOffset DeadAt,
    DateTimeOffset? ClosedAt);
