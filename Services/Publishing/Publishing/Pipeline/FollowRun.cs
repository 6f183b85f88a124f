using System.ComponentModel;
using System.Globalization;
using System.Security.Claims;
using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Listings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;

namespace LlmMarketplace.Publishing.Pipeline;

/// <summary>
/// <c>GET /api/v1/pipeline-runs/{id}/events</c>: the run's journal as server-sent events, from its beginning or after <c>Last-Event-ID</c>, and on as it grows. Ends after
/// <c>run_finished</c>; a comment every 15 s keeps the connection open meanwhile. The journal lies in the database, so that any instance can tell it.
/// </summary>
internal static class FollowRun
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(15);

    public static void Map(RouteGroupBuilder runs) => runs.MapGet("/{id:guid}/events", HandleAsync).WithName("FollowPipelineRun")
        .Produces<EntryView>(StatusCodes.Status200OK, "text/event-stream").ProducesProblem(StatusCodes.Status404NotFound).WithSummary("Follow a pipeline run live");

    private static async Task<IResult> HandleAsync(
        Guid id, [FromHeader(Name = "Last-Event-ID"), Description("The last entry that was read: the journal goes on after it.")] string? lastEventId, ClaimsPrincipal caller, HttpContext http, PublishingDb db, PipelineSignal signal, TimeProvider time, IHostApplicationLifetime lifetime, CancellationToken cancellationToken)
    {
        if (await GetRun.FindAsync(db, id, caller, cancellationToken) is null)
        {
            return Refusals.NoRun;
        }

        var after = int.TryParse(lastEventId, NumberStyles.None, CultureInfo.InvariantCulture, out var last) ? last : 0;
        http.Response.Headers.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-store";
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        try
        {
            await TellAsync(id, after, http.Response, db, signal, time, ends.Token);
        }
        catch (OperationCanceledException) when (ends.IsCancellationRequested)
        {
            // The watcher left, or the service stops: the watcher comes back with Last-Event-ID.
        }

        return Results.Empty;
    }

    private static async Task TellAsync(Guid run, int after, HttpResponse response, PublishingDb db, PipelineSignal signal, TimeProvider time, CancellationToken cancellationToken)
    {
        await response.WriteAsync(": run " + run + "\n\n", cancellationToken).ConfigureAwait(false);
        await response.Body.FlushAsync(cancellationToken).ConfigureAwait(false);
        var wrote = time.GetTimestamp();
        while (true)
        {
            var woken = signal.Next;
            var entries = await db.Entries.AsNoTracking().Where(entry => entry.RunId == run && entry.Number > after).OrderBy(entry => entry.Number).ToListAsync(cancellationToken).ConfigureAwait(false);
            foreach (var entry in entries)
            {
                var data = JsonSerializer.Serialize(EntryView.Of(entry), Json.Options);
                await response.WriteAsync(string.Create(CultureInfo.InvariantCulture, $"id: {entry.Number}\nevent: {entry.Type}\ndata: {data}\n\n"), cancellationToken).ConfigureAwait(false);
                after = entry.Number;
            }

            if (entries.Count == 0 && time.GetElapsedTime(wrote) >= BeatEvery)
            {
                await response.WriteAsync(": still there\n\n", cancellationToken).ConfigureAwait(false);
                wrote = time.GetTimestamp();
            }
            else if (entries.Count > 0)
            {
                wrote = time.GetTimestamp();
            }

            await response.Body.FlushAsync(cancellationToken).ConfigureAwait(false);
            if (entries.Exists(entry => entry.Type == "run_finished") || (entries.Count == 0 && await HasEndedAsync(db, run, after, cancellationToken).ConfigureAwait(false)))
            {
                return;
            }

            await PipelineSignal.WaitAsync(woken, LookEvery, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>For who comes back after the last entry.</summary>
    private static Task<bool> HasEndedAsync(PublishingDb db, Guid run, int after, CancellationToken cancellationToken) =>
        db.Entries.AnyAsync(entry => entry.RunId == run && entry.Number <= after && entry.Type == "run_finished", cancellationToken);

    /// <summary>One entry of the journal.</summary>
    /// <param name="Number">1, 2, 3 … within the run.</param>
    /// <param name="Time">When.</param>
    /// <param name="Type">What happened.</param>
    /// <param name="Step">Which step, or null for the run.</param>
    /// <param name="Attempt">The attempt that it tells of: 1, 2, 3 …, or null for the run.</param>
    /// <param name="Outcome">The step's or run's status.</param>
    /// <param name="Verdict">For people.</param>
    /// <param name="Issues">The reasons of a refusal.</param>
    internal sealed record EntryView(int Number, DateTimeOffset Time, string Type, string? Step, int? Attempt, string Outcome, string? Verdict, IReadOnlyList<Issue> Issues)
    {
        public static EntryView Of(PipelineEntry entry) => new(entry.Number, entry.Time, entry.Type, entry.Step, entry.Attempt, entry.Outcome, entry.Verdict, entry.Issues);
    }
}
