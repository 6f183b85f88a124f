using System.ComponentModel.DataAnnotations;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;

namespace LlmMarketplace.Consumption.EndUsers;

/// <summary>
/// <c>POST /api/v1/end-users/erase</c>: takes the id of an end user of the caller's organisation out of everything that is kept (GDPR, article 17). Records stay, under a pseudonym that nothing
/// leads back from, so that what was charged adds up. What calls that run now still write is found within minutes (<see cref="FinishErasures"/>).
/// </summary>
internal static class EraseEndUser
{
    /// <param name="EndUser">The end user's id, as calls give it.</param>
    internal sealed record Request([property: Required] string? EndUser);

    /// <param name="Id">Of the erasure, by which it is listed.</param>
    /// <param name="Pseudonym">What stands in the id's place.</param>
    /// <param name="Records">Usage records that named the person.</param>
    /// <param name="RequestedAt">Until when what was kept is erased: calls after it are new.</param>
    internal sealed record Response(Guid Id, string Pseudonym, long Records, DateTimeOffset RequestedAt);

    public static void Map(IEndpointRouteBuilder endUsers) => endUsers.MapPost("/erase", HandleAsync).WithName("EraseEndUser").WithSummary("Take an end user's id out of everything that is kept");

    private static async Task<Results<Ok<Response>, ProblemHttpResult>> HandleAsync(
        Request request, ClaimsPrincipal caller, NpgsqlDataSource database, EraseFromStores erase, TimeProvider time, CancellationToken cancellationToken)
    {
        if (EndUserBudgets.Check(request.EndUser).ToArray() is { Length: > 0 } issues)
        {
            return Problems.Invalid(issues);
        }

        var (organisation, endUser, now) = (caller.OrganisationId(), request.EndUser!, time.GetUtcNow());
        var (id, pseudonym) = (Guid.CreateVersion7(now), $"erased-{Guid.CreateVersion7(now):N}");
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var records = await erase.RunAsync(connection, organisation, endUser, pseudonym, now, caller.Subject(), cancellationToken);
        await using var note = new NpgsqlCommand(
            "INSERT INTO end_user_erasures (id, organisation_id, mark, pseudonym, requested_by, requested_at, records) VALUES ($1, $2, $3, $4, $5, $6, $7)", connection)
        {
            Parameters =
            {
                new() { Value = id }, new() { Value = organisation }, new() { Value = erase.MarkOf(organisation, endUser) }, new() { Value = pseudonym },
                new() { Value = caller.Subject() }, new() { Value = now }, new() { Value = records },
            },
        };
        await note.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        erase.RebuildCounters(organisation);
        return TypedResults.Ok(new Response(id, pseudonym, records, now));
    }
}
