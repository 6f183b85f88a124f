using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Messaging;

/// <summary>Adds events to the change that they tell of. Nothing is sent here: the relay does that after the commit.</summary>
public sealed class Outbox
{
    /// <summary>Adds an event to <paramref name="context"/>; it is stored by the context's own <c>SaveChanges</c>, with the change or not at all.</summary>
    /// <param name="context">The service's context, whose model has <see cref="MessagingService.AddOutbox"/>.</param>
    /// <param name="key">The aggregate's id: events of one key stay in order.</param>
    /// <param name="aggregateVersion">The aggregate's version after the change, growing by every change; consumers drop what is older than what they have.</param>
    /// <param name="data">Full state of the aggregate.</param>
    /// <exception cref="InvalidOperationException">The type was not declared by <see cref="MessagingBuilder{TContext}.Publishes{TEvent}"/>.</exception>
    public void Add<TEvent>(DbContext context, Guid key, long aggregateVersion, TEvent data)
        where TEvent : class
    {
        throw new NotSupportedException();
    }
}

/// <summary>An event that waits for the relay.</summary>
internal sealed class OutboxRow
{
    public Guid Id { get; set; }
}
