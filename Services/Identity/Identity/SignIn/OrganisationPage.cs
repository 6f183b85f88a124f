using LlmMarketplace.Identity.Tokens;
using LlmMarketplace.Identity.Users;
using Microsoft.AspNetCore.WebUtilities;

namespace LlmMarketplace.Identity.SignIn;

/// <summary>For people of several organisations: a token names one. Choosing is a link back to the authorization endpoint.</summary>
internal static class OrganisationPage
{
    public static IResult Of(User user, IReadOnlyList<Choice> organisations, string returnUrl)
    {
        var links = string.Concat(organisations.Select(organisation =>
            $"""<li><a class="choice" href="{Html.Text(QueryHelpers.AddQueryString(returnUrl, Authorize.OrganisationParameter, organisation.Slug))}">{Html.Text(organisation.Name)}<small>{Html.Text(string.Join(", ", organisation.Roles))}</small></a></li>"""));
        return Html.Page("Choose an organisation", $"<p>You are signed in as {Html.Text(user.Email)}. Who do you act for?</p><ul>{links}</ul>");
    }
}
