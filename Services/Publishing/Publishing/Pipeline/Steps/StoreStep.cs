using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Validation;
using LlmMarketplace.Publishing.Versions;

namespace LlmMarketplace.Publishing.Pipeline.Steps;

/// <summary>Freezes the declaration as the specification that others will see.</summary>
internal sealed class StoreStep(ProviderSecretProtector protector) : IPipelineStep
{
    public string Name => "store";

    public int Attempts => 5;

    public async Task<StepOutcome> RunAsync(PipelineContext context, CancellationToken cancellationToken)
    {
        var (listing, version) = await context.OpenAsync(cancellationToken).ConfigureAwait(false);
        version.Specification = SpecificationValidator.Read(version.ToSubject(listing, protector));
        version.Issues = [];
        return new StepOutcome.Succeeded($"Version {version.Version} is stored and can no longer be changed.");
    }
}
