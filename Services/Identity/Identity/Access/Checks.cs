using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;

namespace LlmMarketplace.Identity.Access;

/// <summary>Rules for what is sent; each returns the issue, or null.</summary>
internal static partial class Checks
{
    public const int NameLength = 200;
    private static readonly EmailAddressAttribute EmailRule = new();

    public static Issue? Slug(string? slug) => slug is not null && SlugPattern().IsMatch(slug)
        ? null
        : new("invalid_slug", "/slug", "slug must be 2 to 40 lower-case letters, digits and hyphens, and begin and end with a letter or digit.");

    public static Issue? Name(string? name) => !string.IsNullOrWhiteSpace(name) && name.Length <= NameLength && !name.Any(char.IsControl)
        ? null
        : new("invalid_name", "/name", $"name must have 1 to {NameLength} characters.");

    public static Issue? Email(string? email) => email is { Length: <= 254 } && EmailRule.IsValid(email) && !email.Any(c => char.IsControl(c) || char.IsWhiteSpace(c))
        ? null
        : new("invalid_email", "/email", "email must be an e-mail address.");

    /// <summary>Long is strong; what it is made of is the person's business.</summary>
    public static Issue? Password(string? password, string path = "/password") => password is { Length: >= Users.PasswordRules.MinLength and <= Users.PasswordRules.MaxLength }
        ? null
        : new("invalid_password", path, $"The password must have {Users.PasswordRules.MinLength} to {Users.PasswordRules.MaxLength} characters; any will do, and a few words make a good one.");

    /// <summary>Roles that can be given at all: never <c>service</c>, never none.</summary>
    public static Issue? GivenRoles(IReadOnlyCollection<string>? roles) =>
        roles is { Count: > 0 } && roles.All(role => Roles.OfOperator.Contains(role) || Roles.OfOrganisation.Contains(role))
            ? null
            : new("invalid_roles", "/roles", $"roles must be one or more of {string.Join(", ", Roles.OfOperator.Concat(Roles.OfOrganisation).Order())}.");

    /// <summary>The issues found, as a problem, or null when there are none.</summary>
    public static ProblemHttpResult? Refuse(params ReadOnlySpan<Issue?> issues)
    {
        var found = new List<Issue>();
        foreach (var issue in issues)
        {
            if (issue is not null)
            {
                found.Add(issue);
            }
        }

        return found.Count == 0 ? null : Problems.Invalid(found);
    }

    [GeneratedRegex("^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])$", RegexOptions.CultureInvariant)]
    private static partial Regex SlugPattern();
}
