using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Listings;
using LlmMarketplace.Publishing.Versions;

namespace LlmMarketplace.Publishing.Pipeline;

/// <summary>
/// One step of the pipeline: a class, and a line in <see cref="PipelineService"/>'s list. What it changes in the database is committed together with its being
/// done, so that is done once; an effect elsewhere may come again after a crash and must then change nothing. What it throws counts as a failed attempt.
/// </summary>
internal interface IPipelineStep
{
    /// <summary>Names it in the database and in the journal; never changes.</summary>
    string Name { get; }

    /// <summary>How often it is tried, with 1, 2, 4 … seconds between.</summary>
    int Attempts => 3;

    Task<StepOutcome> RunAsync(PipelineContext context, CancellationToken cancellationToken);
}

/// <summary>A step with an effect elsewhere that must be taken back when a later step fails. Taking back may come again as well, and is tried until it succeeds.</summary>
internal interface ICompensatedStep : IPipelineStep
{
    Task CompensateAsync(PipelineContext context, CancellationToken cancellationToken);
}

/// <summary>What came of a step; what it throws instead is tried again.</summary>
internal abstract record StepOutcome(string Verdict)
{
    /// <summary>Done.</summary>
    public sealed record Succeeded(string Verdict) : StepOutcome(Verdict);

    /// <summary>Was not called for.</summary>
    public sealed record Skipped(string Verdict) : StepOutcome(Verdict);

    /// <summary>Waits for a person; the step runs again when somebody wakes the run.</summary>
    public sealed record Waiting(string Verdict) : StepOutcome(Verdict);

    /// <summary>Says no, for good.</summary>
    public sealed record Refused(string Verdict, IReadOnlyList<Issue> Issues) : StepOutcome(Verdict);
}

/// <summary>What a step works with.</summary>
internal sealed class PipelineContext(PipelineRun run, PublishingDb db, ListingDesk desk)
{
    public PipelineRun Run { get; } = run;

    /// <summary>Saved by the engine, together with the step's outcome.</summary>
    public PublishingDb Db { get; } = db;

    public DateTimeOffset Now => Desk.Now;

    public ListingDesk Desk { get; } = desk;

    /// <summary>The version under way and its listing, as they are.</summary>
    public async Task<(Listing Listing, ListingVersion Version)> ReadAsync(CancellationToken cancellationToken) =>
        Pick(await Desk.FindAsync(Run.ListingId, cancellationToken).ConfigureAwait(false));

    /// <summary>The same, with the listing locked until the step's outcome is stored: for short steps that change it.</summary>
    public async Task<(Listing Listing, ListingVersion Version)> OpenAsync(CancellationToken cancellationToken) =>
        Pick(await Desk.OpenAsync(Run.ListingId, cancellationToken).ConfigureAwait(false));

    /// <summary>Tells others of the change; needs <see cref="OpenAsync"/> before.</summary>
    public void Announce(Listing listing, string cause) => Desk.Announce(listing, cause);

    private (Listing, ListingVersion) Pick(Listing? listing) =>
        listing is null ? throw new InvalidOperationException($"The listing {Run.ListingId} of the run {Run.Id} is gone.") : (listing, listing.Versions.Single(version => version.Id == Run.VersionId));
}
