using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.Admin.Approvals;

/// <summary>Section <c>Approvals</c>.</summary>
internal sealed class ApprovalOptions : IValidatableObject
{
    public const string Section = "Approvals";

    /// <summary>An approval that nobody decided for so long is refused.</summary>
    public TimeSpan ExpireAfter { get; set; } = TimeSpan.FromDays(7);

    /// <summary>One that nobody decided for so long is pointed out.</summary>
    public TimeSpan EscalateAfter { get; set; } = TimeSpan.FromHours(24);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (EscalateAfter <= TimeSpan.Zero || ExpireAfter <= EscalateAfter)
        {
            yield return new ValidationResult("Approvals:EscalateAfter must be above zero and below Approvals:ExpireAfter, for instance 1.00:00:00 and 7.00:00:00.");
        }
    }
}
