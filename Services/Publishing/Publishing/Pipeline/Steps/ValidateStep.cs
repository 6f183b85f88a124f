using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Validation;
using LlmMarketplace.Publishing.Versions;

namespace LlmMarketplace.Publishing.Pipeline.Steps;

/// <summary>Holds every rule of <see cref="SpecificationValidator"/> against the declaration. Looks names up, so it locks nothing.</summary>
internal sealed class ValidateStep(SpecificationValidator validator, ProviderSecretProtector protector) : IPipelineStep
{
    public string Name => "validate";

    public async Task<StepOutcome> RunAsync(PipelineContext context, CancellationToken cancellationToken)
    {
        var (listing, version) = await context.ReadAsync(cancellationToken).ConfigureAwait(false);
        var outcome = await validator.ValidateAsync(version.ToSubject(listing, protector), cancellationToken).ConfigureAwait(false);
        return outcome.Specification is null
            ? new StepOutcome.Refused($"The declaration has {outcome.Issues.Count} issue(s).", outcome.Issues)
            : new StepOutcome.Succeeded("The declaration keeps every rule.");
    }
}
