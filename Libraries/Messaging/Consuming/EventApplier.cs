using System.Data;
using System.Data.Common;
using LlmMarketplace.Messaging.DeadLetters;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Messaging.Consuming;

/// <summary>Applies what a transport brings.</summary>
internal interface IEventApplier
{
    /// <summary>Where to go on reading a source.</summary>
    Task<Position> StartAsync(EventSource source, CancellationToken cancellationToken);

    /// <summary>Applies events of one source in their order, and returns the position after them. Waits for a database that is away.</summary>
    /// <exception cref="FencedException">Somebody else moved the position: start anew.</exception>
    Task<Position> ApplyAsync(EventSource source, Position at, IReadOnlyList<ReceivedEvent> batch, CancellationToken cancellationToken);

    /// <summary>Applies a dead letter now.</summary>
    Task<RetryOutcome> RetryAsync(Guid deadLetter, CancellationToken cancellationToken);
}

/// <summary>
/// Effects, versions, dead letters and position: one commit. A batch is tried as one transaction; when a handler fails, its events are applied one by one, so that only the one at fault
/// is tried again and put aside in the end.
/// </summary>
internal sealed partial class EventApplier<TContext>(
    IServiceScopeFactory scopes,
    Subscriptions subscriptions,
    Positions positions,
    IOptions<MessagingOptions> options,
    MessagingTelemetry telemetry,
    MessagingHealth health,
    TimeProvider time,
    ILogger<IEventApplier> logger) : IEventApplier
    where TContext : DbContext
{
    private const string Part = "database";

    public Task<Position> StartAsync(EventSource source, CancellationToken cancellationToken) => positions.ReadAsync(source, cancellationToken);

    public async Task<Position> ApplyAsync(EventSource source, Position at, IReadOnlyList<ReceivedEvent> batch, CancellationToken cancellationToken)
    {
        var events = batch.Select(received => subscriptions.Prepare(source.Topic, received)).ToList();
        if (events.Count > 1)
        {
            try
            {
                return await CommitPatientlyAsync(source, at, events, cancellationToken).ConfigureAwait(false);
            }
            catch (HandlerFailedException)
            {
                // One of them: the loop below finds out which.
            }
        }

        foreach (var one in events)
        {
            at = await ApplyOneAsync(source, at, one, cancellationToken).ConfigureAwait(false);
        }

        return at;
    }

    private async Task<Position> ApplyOneAsync(EventSource source, Position at, PreparedEvent one, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await CommitPatientlyAsync(source, at, [one], cancellationToken).ConfigureAwait(false);
            }
            catch (HandlerFailedException failed)
            {
                telemetry.Failed(source.Topic);
                Log.Failed(logger, one.Envelope?.Type, one.Envelope?.Id, attempt, failed.InnerException!);
                if (attempt > options.Value.Delays.Count)
                {
                    one = one with { Dead = new DeadCause(DeadReason.HandlerFailed, failed.Message, attempt) };
                }
                else
                {
                    await Task.Delay(options.Value.Delays[attempt - 1], time, cancellationToken).ConfigureAwait(false);
                }
            }
        }
    }

    private async Task<Position> CommitPatientlyAsync(EventSource source, Position at, IReadOnlyList<PreparedEvent> events, CancellationToken cancellationToken)
    {
        var to = new Position(events[^1].Received.Next, events.Max(one => Math.Max(at.Sequence, one.Envelope?.Sequence ?? 0)));
        var backoff = new Backoff(time);
        for (var unsure = false; ;)
        {
            try
            {
                if (unsure && await positions.ReadAsync(source, cancellationToken).ConfigureAwait(false) is var stored && stored != at)
                {
                    // The commit whose answer was lost did happen; anything else is somebody else's doing.
                    return stored == to ? to : throw new FencedException(source);
                }

                await CommitAsync(source, at, to, events, cancellationToken).ConfigureAwait(false);
                health.Works(Part);
                return to;
            }
            catch (Exception failed) when (failed is not (HandlerFailedException or FencedException) && !cancellationToken.IsCancellationRequested)
            {
                unsure = true;
                health.Waits(Part, failed.Message);
                if (backoff.IsFirst)
                {
                    Log.Waits(logger, source.Topic, failed);
                }

                await backoff.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task CommitAsync(EventSource source, Position at, Position to, IReadOnlyList<PreparedEvent> events, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var context = scope.ServiceProvider.GetRequiredService<TContext>();
        context.Database.AutoSavepointsEnabled = false;
        await using var begun = await context.Database.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        var transaction = begun.GetDbTransaction();
        await Positions.MoveAsync(transaction, source, at, to, cancellationToken).ConfigureAwait(false);

        var (mark, committed) = (at.Sequence, new List<PreparedEvent>(events.Count));
        foreach (var one in events)
        {
            if (one.Envelope?.Sequence <= mark)
            {
                continue; // It came again.
            }

            mark = one.Envelope?.Sequence ?? mark;
            if (one.Dead is { } cause)
            {
                await DeadLetterStore.AddAsync(transaction, source.Topic, one, cause, time.GetUtcNow(), cancellationToken).ConfigureAwait(false);
                committed.Add(one);
            }
            else if (await HandleAsync(scope.ServiceProvider, context, transaction, source.Topic, one, cancellationToken).ConfigureAwait(false))
            {
                committed.Add(one);
            }
        }

        try
        {
            await begun.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException refused) when (Failures.IsRefusal(refused))
        {
            throw new HandlerFailedException(refused); // A deferred constraint: the handler's fault as well, found out late.
        }

        foreach (var one in committed)
        {
            Tell(source.Topic, one);
        }
    }

    /// <summary>Applies one event within the transaction. False: there was nothing to do.</summary>
    private async Task<bool> HandleAsync(IServiceProvider services, TContext context, DbTransaction transaction, string topic, PreparedEvent one, CancellationToken cancellationToken)
    {
        if (one is not { Envelope: { } envelope, Handlers: [var first, ..] handlers })
        {
            return false;
        }

        using var activity = telemetry.Apply(topic, envelope.Type, envelope.Traceparent);
        if (first.Subscription.Kind == TopicKind.State
            && !await AppliedVersions.TryMoveAsync(transaction, topic, envelope.Key, envelope.AggregateVersion, cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        var about = new EventContext(envelope.Id, envelope.Type, topic, envelope.Key, envelope.AggregateVersion, envelope.Time);
        try
        {
            foreach (var handler in handlers)
            {
                await handler.Subscription.HandleAsync(services, handler.Data, about, cancellationToken).ConfigureAwait(false);
            }

            await context.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
            context.ChangeTracker.Clear();
            return true;
        }
        catch (Exception failed) when (!cancellationToken.IsCancellationRequested && !Failures.IsTransient(failed) && transaction.Connection is { State: ConnectionState.Open })
        {
            throw new HandlerFailedException(failed);
        }
    }

    public async Task<RetryOutcome> RetryAsync(Guid deadLetter, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var context = scope.ServiceProvider.GetRequiredService<TContext>();
        context.Database.AutoSavepointsEnabled = false;
        await using var begun = await context.Database.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        var transaction = begun.GetDbTransaction();
        if (await DeadLetterStore.LockAsync(transaction, deadLetter, cancellationToken).ConfigureAwait(false) is not { } letter)
        {
            return RetryOutcome.NotFound;
        }

        if (letter.State != DeadLetterState.Open)
        {
            return RetryOutcome.Closed;
        }

        var prepared = subscriptions.Prepare(letter.Topic, new ReceivedEvent(0, letter.Event));
        if (prepared.Dead is { } still || prepared.Handlers.Count == 0)
        {
            return RetryOutcome.StillUnreadable;
        }

        try
        {
            var applied = await HandleAsync(scope.ServiceProvider, context, transaction, letter.Topic, prepared, cancellationToken).ConfigureAwait(false);
            await DeadLetterStore.CloseAsync(transaction, deadLetter, applied ? DeadLetterState.Applied : DeadLetterState.Superseded, time.GetUtcNow(), cancellationToken).ConfigureAwait(false);
            await begun.CommitAsync(cancellationToken).ConfigureAwait(false);
            return RetryOutcome.Closed;
        }
        catch (Exception failed) when (failed is HandlerFailedException || (failed is PostgresException refused && Failures.IsRefusal(refused)))
        {
            telemetry.Failed(letter.Topic);
            await begun.DisposeAsync().ConfigureAwait(false);
            await DeadLetterStore.FailedAgainAsync(context, deadLetter, failed.Message, cancellationToken).ConfigureAwait(false);
            return RetryOutcome.FailedAgain;
        }
    }

    private void Tell(string topic, PreparedEvent one)
    {
        if (one.Dead is { } cause)
        {
            telemetry.Dead(topic, cause.Reason);
            Log.Dead(logger, one.Envelope?.Type, one.Envelope?.Id, topic, cause.Reason, cause.Error);
        }
        else
        {
            telemetry.Applied(topic, time.GetUtcNow() - one.Envelope!.Value.Time);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3031, LogLevel.Warning, "The handler of {Type} failed on event {Id}, attempt {Attempt}.")]
        public static partial void Failed(ILogger logger, string? type, Guid? id, int attempt, Exception failed);

        [LoggerMessage(3032, LogLevel.Error, "Event {Id} of type {Type} on {Topic} went to the dead letters ({Reason}): {Error}")]
        public static partial void Dead(ILogger logger, string? type, Guid? id, string topic, DeadReason reason, string error);

        [LoggerMessage(3033, LogLevel.Warning, "Events of {Topic} cannot be applied now; tried again until it works.")]
        public static partial void Waits(ILogger logger, string topic, Exception failed);
    }
}
