using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>Reads a declaration and holds every rule against it; all issues come at once.</summary>
internal sealed class SpecificationValidator(IEnumerable<ISpecificationRule> rules)
{
    /// <summary>The specification of a declaration that was validated before.</summary>
    public static ServiceSpecification Read(ValidationSubject subject) => new Declaration(new Node(subject.Document, "", [])).ToSpecification(OpenApiRule.Sha256(subject.OpenApi));

    public async Task<ValidationOutcome> ValidateAsync(ValidationSubject subject, CancellationToken cancellationToken)
    {
        var issues = new List<Issue>();
        var root = new Node(subject.Document, "", issues);
        var declaration = new Declaration(root);
        foreach (var rule in rules)
        {
            await rule.CheckAsync(subject, declaration, root, cancellationToken).ConfigureAwait(false);
        }

        return issues.Count > 0
            ? new ValidationOutcome(null, [.. issues.Distinct()])
            : new ValidationOutcome(declaration.ToSpecification(OpenApiRule.Sha256(subject.OpenApi)), []);
    }
}

/// <summary>A specification, or the reasons why there is none.</summary>
internal sealed record ValidationOutcome(ServiceSpecification? Specification, IReadOnlyList<Issue> Issues);
