-- The dimensions that every row of a visitor has, of the row itself or of what `of` names.
${of}channel AS channel,
    ${of}first_channel AS first_channel,
    ${of}device AS device,
    ${of}browser AS browser,
    ${of}os AS os,
    ${of}country AS country,
    ${of}utm_source AS utm_source,
    ${of}utm_medium AS utm_medium,
    ${of}utm_campaign AS utm_campaign,
    if(${of}past_buyer, 'returning', 'new') AS customer_type
