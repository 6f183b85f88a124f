using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Approvals;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using LlmMarketplace.Publishing.Validation;

namespace LlmMarketplace.Publishing.Pipeline.Steps;

/// <summary>
/// A person decides on confidential and restricted services and on those with enterprise support. Asks once and waits; <see cref="ApplyApprovalDecided"/> wakes the
/// run, and this step looks at the decision. Four eyes are checked here again: whatever decided, the requester did not.
/// </summary>
internal sealed class ApprovalStep : IPipelineStep
{
    public string Name => "approval";

    public int Attempts => 5;

    public async Task<StepOutcome> RunAsync(PipelineContext context, CancellationToken cancellationToken)
    {
        var (listing, version) = await context.OpenAsync(cancellationToken).ConfigureAwait(false);
        if (version.Approval is { } approval)
        {
            return Judge(approval);
        }

        var reasons = Reasons(version.Specification!);
        if (reasons.Count == 0)
        {
            return new StepOutcome.Skipped("No approval is required.");
        }

        context.Db.Approvals.Add(new VersionApproval
        {
            Id = Guid.CreateVersion7(),
            VersionId = version.Id,
            RunId = context.Run.Id,
            RequestedBy = context.Run.RequestedBy,
            RequestedAt = context.Now,
            Reasons = reasons,
        });
        version.Become(VersionStatus.PendingApproval, context.Now);
        context.Announce(listing, ChangeCauses.ApprovalRequested);
        return new StepOutcome.Waiting($"Waits for an approval because of {string.Join(" and ", reasons)}.");
    }

    private static List<string> Reasons(ServiceSpecification specification)
    {
        var reasons = new List<string>();
        if (WireNames<ComplianceLevel>.Parse(specification.Compliance.Level) is ComplianceLevel.Confidential or ComplianceLevel.Restricted)
        {
            reasons.Add("compliance_level");
        }

        if (specification.Sla.SupportLevel == SupportLevel.Enterprise)
        {
            reasons.Add("enterprise_support");
        }

        return reasons;
    }

    private static StepOutcome Judge(VersionApproval approval) => approval.Decision switch
    {
        null => new StepOutcome.Waiting("Waits for an approval."),
        ApprovalDecision.Approved when approval.DecidedBy == approval.RequestedBy => Refuse("four_eyes", "The approval came from whoever asked for it; another person must decide."),
        ApprovalDecision.Approved => new StepOutcome.Succeeded($"Approved by {approval.DecidedBy}: {approval.DecisionReason}"),
        ApprovalDecision.Rejected => Refuse("approval_rejected", $"Rejected by {approval.DecidedBy}: {approval.DecisionReason}"),
        _ => Refuse("approval_expired", "Nobody decided in time."),
    };

    private static StepOutcome.Refused Refuse(string code, string reason) => new(reason, [new Issue(code, "", reason)]);
}
