using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;

namespace LlmMarketplace.Publishing.Pipeline.Steps;

/// <summary>The version becomes active and everybody hears of it: one transaction.</summary>
internal sealed class PublishStep : IPipelineStep
{
    public string Name => "publish";

    public int Attempts => 5;

    public async Task<StepOutcome> RunAsync(PipelineContext context, CancellationToken cancellationToken)
    {
        var (listing, version) = await context.OpenAsync(cancellationToken).ConfigureAwait(false);
        version.Become(VersionStatus.Active, context.Now);
        version.PublishedAt = context.Now;
        version.StatusReason = null;
        context.Announce(listing, ChangeCauses.Published);
        if (version.Specification!.Endpoint.Protocol == EndpointProtocol.Rest)
        {
            context.Desk.AnnounceDocument(version); // Whoever forwards calls checks them by it.
        }

        return new StepOutcome.Succeeded($"{listing.Provider}/{listing.Name}@{version.Version} is published.");
    }
}
