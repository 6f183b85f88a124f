using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;

namespace LlmMarketplace.Publishing.Pipeline.Steps;

/// <summary>May this provider publish now? The request was authorised when it came; since then the organisation may have been suspended.</summary>
internal sealed class AuthoriseStep : IPipelineStep
{
    public string Name => "authorise";

    public async Task<StepOutcome> RunAsync(PipelineContext context, CancellationToken cancellationToken)
    {
        var (listing, _) = await context.ReadAsync(cancellationToken).ConfigureAwait(false);
        var provider = await context.Db.Organisations.FindAsync([listing.OrganisationId], cancellationToken).ConfigureAwait(false);
        if (provider?.Status != OrganisationStatus.Active)
        {
            return Refuse("organisation_suspended", "The provider's organisation is suspended.");
        }

        return listing.SuspendedByOperator
            ? Refuse("listing_suspended", "The listing is suspended by an administrator.")
            : new StepOutcome.Succeeded($"{context.Run.RequestedBy} publishes for {listing.Provider}.");
    }

    private static StepOutcome.Refused Refuse(string code, string reason) => new(reason, [new Issue(code, "", reason)]);
}
