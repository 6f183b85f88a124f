namespace LlmMarketplace.Identity.Access;

/// <summary>Every reason why the management API refuses what is well-formed. Mapped to the wire here, once.</summary>
internal enum Refusal
{
    AccessWithdrawn,
    RoleRequired,
    SelfChange,
    LastAdministrator,
    OperatorRolesElsewhere,
    RoleNotYours,
    OperatorMayNotBeSuspended,
    SlugTaken,
    EmailTaken,
    ChangedMeanwhile,
    NotThisVersion,
    WrongPassword,
    NotAPerson,
    ClientOfConfiguration,
}

internal static class Refusals
{
    public static ProblemHttpResult ToProblem(this Refusal refusal) => refusal switch
    {
        Refusal.AccessWithdrawn => Problems.Forbidden("access_withdrawn", "What the token says no longer holds: the account, its role or its organisation was taken back. Sign in again."),
        Refusal.RoleRequired => Problems.Forbidden("role_required", "Your roles do not allow this."),
        Refusal.SelfChange => Problems.Forbidden("self_change", "Nobody changes their own roles, organisations or lock. Ask another administrator."),
        Refusal.LastAdministrator => Problems.Conflict("last_administrator", "This would leave the marketplace without an administrator. Make another one first."),
        Refusal.OperatorRolesElsewhere => Problems.Conflict("operator_role_elsewhere", "The roles admin, approver and auditor can be held only in the operator's organisation."),
        Refusal.RoleNotYours => Problems.Forbidden("role_not_yours", "A client can be given only roles that you hold in this organisation yourself."),
        Refusal.OperatorMayNotBeSuspended => Problems.Conflict("operator_organisation", "The operator's organisation cannot be suspended: nobody could lift it again."),
        Refusal.SlugTaken => Problems.Conflict("slug_taken", "An organisation with this slug exists. Slugs never change and are never given twice."),
        Refusal.EmailTaken => Problems.Conflict("email_taken", "A user with this e-mail address exists."),
        Refusal.ChangedMeanwhile => Problems.Conflict("changed_meanwhile", "Somebody else changed it at the same moment. Read it again and repeat."),
        Refusal.NotThisVersion => Problems.Of(StatusCodes.Status412PreconditionFailed, "precondition_failed", "It was changed since you read it: If-Match names another version. Read it again."),
        Refusal.WrongPassword => Problems.Forbidden("wrong_password", "The present password is not right, or there were too many attempts: wait 15 minutes and try again."),
        Refusal.NotAPerson => Problems.Forbidden("not_a_person", "Only a person who signed in may do this, not a machine client."),
        Refusal.ClientOfConfiguration => Problems.Conflict("client_of_configuration", "This client comes from the settings Identity:BootstrapClient; change it there."),
        _ => throw new ArgumentOutOfRangeException(nameof(refusal)),
    };
}
