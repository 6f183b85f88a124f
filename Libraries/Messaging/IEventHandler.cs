namespace LlmMarketplace.Messaging;

/// <summary>
/// Applies one event type. Scoped; shares its <c>DbContext</c> with the consumer, which opens the transaction before and saves the
/// changes and moves the position after: effects and position are one commit. Must have no effect outside that context.
/// Called once per event and never for a state older than the one applied before. What it throws is tried again with back-off, and goes to
/// the dead letters in the end; a database that is away is waited for.
/// </summary>
public interface IEventHandler<in TEvent>
    where TEvent : class
{
    /// <summary>Applies the event to the context; does not save.</summary>
    Task HandleAsync(TEvent data, EventContext context, CancellationToken cancellationToken);
}

/// <summary>Where an event comes from.</summary>
/// <param name="Id">CloudEvents id.</param>
/// <param name="Type">CloudEvents type.</param>
/// <param name="Topic">Its topic.</param>
/// <param name="Key">Its aggregate's id.</param>
/// <param name="AggregateVersion">Its aggregate's version.</param>
/// <param name="Time">When it happened.</param>
public sealed record EventContext(Guid Id, string Type, string Topic, Guid Key, long AggregateVersion, DateTimeOffset Time);
