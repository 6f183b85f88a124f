using LlmMarketplace.ApiConventions;
using LlmMarketplace.Messaging.Consuming;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;

namespace LlmMarketplace.Messaging.DeadLetters;

/// <summary>Applies a dead letter now: after its cause was mended. One that a newer version overtook is closed without effect; a closed one stays as it is.</summary>
internal static class RetryDeadLetter
{
    public static void MapRetryDeadLetter(this RouteGroupBuilder group) =>
        group.MapPost("/{id:guid}/retry", HandleAsync).WithName("RetryDeadLetter").WithSummary("Apply an event that was put aside");

    private static async Task<Results<Ok<DeadLetter>, ProblemHttpResult>> HandleAsync(Guid id, IEventApplier applier, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        var outcome = await applier.RetryAsync(id, cancellationToken).ConfigureAwait(false);
        var letter = await ListDeadLetters.FindAsync(database, id, cancellationToken).ConfigureAwait(false);
        return (outcome, letter) switch
        {
            (RetryOutcome.Closed, { } closed) => TypedResults.Ok(closed),
            (RetryOutcome.StillUnreadable, _) => Problems.Conflict("still_unreadable", "This release of the service cannot read the event either: try again after an upgrade."),
            (RetryOutcome.FailedAgain, { } failed) => Problems.Conflict("failed_again", $"The handler failed again: {failed.Error}"),
            _ => Problems.NotFound($"The dead letter {id}"),
        };
    }
}
